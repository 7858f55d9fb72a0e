"""Exact request counting: one atomic upsert per request, whichever engine and however many processes."""

from datetime import datetime, timedelta

from django.db import connections, router

from catalog.models import RequestCount


def count_request(*, bucket: str, at: datetime) -> int:
    """Count one request of `bucket` in the minute of `at`; return how many there were, this one included."""
    connection = connections[router.db_for_write(RequestCount)]
    table = connection.ops.quote_name(RequestCount._meta.db_table)
    statement = (
        f"INSERT INTO {table} (bucket, minute, requests) VALUES (%s, %s, 1) "  # noqa: S608 - own table
        f"ON CONFLICT (bucket, minute) DO UPDATE SET requests = {table}.requests + 1 RETURNING requests"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [bucket, minute_of(at)])
        [requests] = cursor.fetchone()
    return int(requests)


def drop_old_counts(*, at: datetime, older_than: timedelta = timedelta(hours=1)) -> int:
    """Delete the counts that no throttle reads any more."""
    deleted, _by_model = RequestCount.objects.filter(minute__lt=minute_of(at - older_than)).delete()
    return deleted


def minute_of(at: datetime) -> int:
    return int(at.timestamp() // 60)
