"""The one place that speaks to TensorFlow itself: repeatable kernels and TensorBoard event files.

On another Keras backend both are left out and the models train all the same.
"""

from pathlib import Path
from typing import Any

import keras


def prepare(seed: int) -> None:
    """Seed Keras and ask the backend for kernels that give the same bits each time."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        for device in tf.config.list_physical_devices("GPU"):
            if not tf.config.experimental.get_memory_growth(device):
                _grow_memory(tf, device)


class EventWriter:
    """Writes scalars as TensorBoard event files into a folder; writes nothing where none is given."""

    def __init__(self, log_dir: str | None) -> None:
        self._writer: Any = None
        if log_dir is not None and keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            Path(log_dir).mkdir(parents=True, exist_ok=True)
            self._writer = tf.summary.create_file_writer(log_dir)

    def scalars(self, step: int, **values: float | None) -> None:
        if self._writer is None:
            return
        import tensorflow as tf

        with self._writer.as_default():
            for name, value in values.items():
                if value is not None:
                    tf.summary.scalar(name, value, step=step)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _grow_memory(tf: Any, device: Any) -> None:
    try:
        tf.config.experimental.set_memory_growth(device, True)
    except RuntimeError:
        # The device is in use by this process already; its memory plan stands.
        return
