"""Exact limits per caller, and requests that come twice: also when they come at the same moment."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connections, transaction
from django.db.utils import OperationalError
from django.utils import timezone

from catalog.api import throttling
from catalog.models import IdempotencyRecord, RequestCount
from catalog.services import api_keys, housekeeping, idempotency

pytestmark = [
    pytest.mark.django_db(databases="__all__"),
    pytest.mark.urls("tests.config.api_views"),
]


def test_above_the_limit_the_caller_is_told_when_to_come_back(call, settings, time_machine_at):
    settings.API_RATE_LIMITS = {"events": 2}
    assert [call("echo", {"name": "a"}).status_code for _number in range(2)] == [200, 200]
    answer = call("echo", {"name": "a"})
    assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
    assert answer["Retry-After"] == "45"
    time_machine_at.shift(timedelta(seconds=46))
    assert call("echo", {"name": "a"}).status_code == 200


def test_keys_do_not_share_a_limit(call, shop, settings, time_machine_at):
    settings.API_RATE_LIMITS = {"events": 1}
    _key, other = api_keys.issue_key(
        name="other", user=shop, scopes=["events:write"], at=timezone.now()
    )
    assert call("echo", {"name": "a"}).status_code == 200
    assert call("echo", {"name": "a"}).status_code == 429
    assert call("echo", {"name": "a"}, key=other).status_code == 200


def test_when_nothing_can_be_counted_only_a_view_that_says_so_answers(call, monkeypatch):
    def locked(**_kwargs):
        raise OperationalError("database is locked")

    monkeypatch.setattr(throttling, "count_request", locked)
    answer = call("echo", {"name": "a"})
    assert (answer.status_code, answer.json()["code"]) == (503, "counter_unavailable")
    assert answer["Retry-After"] == "1"
    assert call("open", {"name": "a"}).status_code == 200


def test_the_same_key_gets_the_same_answer_and_one_effect(call):
    key = {"Idempotency-Key": "order-1"}
    first = call("count", {"name": "g", "x": 1}, **key)
    again = call("count", {"x": 1, "name": "g"}, **key)  # the same content in another order
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert Group.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(call):
    key = {"Idempotency-Key": "order-1"}
    call("count", {"name": "g"}, **key)
    answer = call("count", {"name": "h"}, **key)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Group.objects.count() == 1


def test_a_failed_request_leaves_nothing_and_may_be_repeated(call):
    key = {"Idempotency-Key": "order-1"}
    assert call("count", {"name": "g", "fail": True}, **key).status_code == 400
    assert (Group.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)
    assert call("count", {"name": "g"}, **key).status_code == 201


def test_an_unfit_key_is_refused(call):
    answer = call("count", {"name": "g"}, **{"Idempotency-Key": "x" * 81})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "Idempotency-Key")


def test_old_answers_and_counts_are_tidied_away(call):
    call("count", {"name": "g"}, **{"Idempotency-Key": "order-1"})
    call("echo", {"name": "a"})
    later = timezone.now() + idempotency.KEPT_FOR + timedelta(minutes=1)
    assert idempotency.drop_old_answers(at=later) == 1
    assert housekeeping.drop_old_counts(at=later) == 1
    assert not RequestCount.objects.exists()


def test_the_transaction_of_a_repeated_request_is_the_services_own(call, monkeypatch):
    """Effect and remembered answer are one transaction: a crash between them leaves neither."""

    def crash(**_kwargs):
        raise SystemError("power cut")

    monkeypatch.setattr(idempotency, "keep_answer", crash)
    with transaction.atomic():
        answer = call("count", {"name": "g"}, **{"Idempotency-Key": "order-1"})
    assert answer.status_code == 500
    assert (Group.objects.count(), IdempotencyRecord.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True, databases="__all__")
class TestRaces:
    def at_once(self, count, work):
        barrier, results = threading.Barrier(count), []

        def one(number):
            try:
                barrier.wait(20)
                results.extend(work(number))
            finally:
                connections.close_all()

        threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def test_exactly_as_many_requests_pass_as_the_limit_says(self, settings, time_machine_at):
        def work(_number):
            return [
                throttling.count_request(bucket="events:key:1", at=timezone.now())
                for _request in range(10)
            ]

        settings.API_RATE_LIMITS = {"events": 20}
        with _patient_edge():
            counts = self.at_once(16, work)
        assert sorted(counts) == list(range(1, 161))
        assert len([count for count in counts if count <= 20]) == 20

    def test_reading_before_writing_lets_more_pass(self, time_machine_at):
        """The canary: a counter that is read first and written then, all readers before the first writer."""
        everybody_has_read = threading.Barrier(8)

        def work(_number):
            seen = []
            for _request in range(10):
                row, _is_new = RequestCount.objects.get_or_create(bucket="naive", minute=1)
                everybody_has_read.wait(20)
                seen.append(row.requests + 1)
                RequestCount.objects.filter(pk=row.pk).update(requests=row.requests + 1)
            return seen

        with _patient_edge():
            RequestCount.objects.create(bucket="naive", minute=1)
            counts = self.at_once(8, work)
        assert len([count for count in counts if count <= 20]) > 20

    def test_one_of_many_equal_requests_has_an_effect(self, call):
        key = {"Idempotency-Key": "order-1"}
        answers = self.at_once(8, lambda _number: [call("count", {"name": "g"}, **key)])
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert Group.objects.count() == 1
        assert len([answer for answer in answers if "Idempotent-Replayed" in answer]) == 7

    def test_without_the_key_each_of_them_tries_for_itself(self, call):
        answers = self.at_once(8, lambda number: [call("count", {"name": f"g{number}"})])
        assert {answer.status_code for answer in answers} == {201}
        assert Group.objects.count() == 8


class _patient_edge:
    """Let the counter's database wait longer than 50 ms: here the sum counts, not the latency."""

    def __enter__(self):
        for connection in self._edge():
            self.timeout = connection.settings_dict["OPTIONS"]["timeout"]
            connection.settings_dict["OPTIONS"]["timeout"] = 20

    def __exit__(self, *_error):
        for connection in self._edge():
            connection.settings_dict["OPTIONS"]["timeout"] = self.timeout

    def _edge(self):
        return [connections[alias] for alias in connections if alias == "edge"]
