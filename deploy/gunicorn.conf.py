"""Gunicorn: threads, because pages wait for the database more than they compute."""

import multiprocessing
import os

worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", min(multiprocessing.cpu_count(), 4)))
threads = int(os.environ.get("WEB_THREADS", 4))
timeout = 60
graceful_timeout = 20
accesslog = os.environ.get("WEB_ACCESS_LOG") or None
control_socket_disable = True
