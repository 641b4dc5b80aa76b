"""A stranger in a hurry: says one thing a thousand times without waiting to be heard."""

from __future__ import annotations

from tests.rim.stranger import Stranger


class Flooder(Stranger):
    """As the stranger, with room for many messages under way."""

    def repeat(self, topic: str, payload: bytes, times: int) -> None:
        """Publish it `times` times at QoS 1; back once all are with the broker."""
        sent = [self._client.publish(topic, payload, qos=1) for _ in range(times)]
        for one in sent:
            one.wait_for_publish(30)
            assert one.is_published(), f"no PUBACK for {topic}"

    def forget(self, topic: str) -> None:
        """Hear it no more."""
        self._client.unsubscribe(topic)
