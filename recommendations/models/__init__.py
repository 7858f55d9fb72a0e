from recommendations.models.channel import ChannelWarehouse
from recommendations.models.event import Event, ShownList
from recommendations.models.visitor import Visitor

__all__ = ["ChannelWarehouse", "Event", "ShownList", "Visitor"]
