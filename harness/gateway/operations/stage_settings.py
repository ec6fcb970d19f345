"""Paths of UpdateStage whose values the mock keeps and shows, but does not act on: caching, logging, throttling, canaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..errors import bad_request
from ..model import Stage
from ..patch import ALL, REPLACE, NoSuchPath, Rule, integer, switch

__all__ = ["SETTINGS_RULES"]

_Read = Callable[[str | None, str], Any]
_REPLACE_OR_REMOVE = (*REPLACE, "remove")


def _text(text: str | None, _: str) -> str:
    return text or ""


def _decimal(text: str | None, path: str) -> float:
    try:
        number = float(text or "")
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e9:  # also no infinity, and nothing that is no number
        raise bad_request(f"Invalid patch value for {path}: expected a number, saw '{text}'")
    return number


def _member(*names: str, read: _Read = _text, ops: tuple[str, ...] = REPLACE) -> Rule[Stage]:
    """A rule for the stored member at ``/names…``; a star in the last place is a key of the caller's."""
    pattern = "/" + "/".join(names)

    def change(stage: Stage, stars: Sequence[str], value: str | None) -> Stage:
        keys = [*(name for name in names if name != "*"), *stars]
        held = None if value is None else read(value, pattern)
        return replace(stage, stored=_placed(stage.stored, keys, held))

    return Rule(pattern, change, ops)


def _placed(tree: Any, keys: Sequence[str], value: Any) -> dict[str, Any]:
    """A copy of *tree* with *value* at the place that *keys* lead to; without that place for None."""
    copy, key = dict(tree), keys[0]
    if len(keys) > 1:
        copy[key] = _placed(copy.get(key, {}), keys[1:], value)
    elif value is None:
        copy.pop(key, None)
    else:
        copy[key] = value
    return copy


def _method_setting(path: str, name: str, read: _Read) -> Rule[Stage]:
    pattern = f"/*/*/{path}"

    def change(stage: Stage, stars: Sequence[str], value: str | None) -> Stage:
        keys = ["methodSettings", "/".join(stars), name]
        return replace(stage, stored=_placed(stage.stored, keys, read(value, pattern)))

    return Rule(pattern, change)


def _forget_method(stage: Stage, stars: Sequence[str], _: str | None) -> Stage:
    key = "/".join(stars)
    if key not in stage.stored.get("methodSettings", {}):
        raise NoSuchPath  # the pattern fits every path of two segments
    return replace(stage, stored=_placed(stage.stored, ["methodSettings", key], None))


def _strategy(text: str | None, path: str) -> str:
    words = ("FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER")
    if text not in words:
        raise bad_request(f"Invalid patch value for {path}: expected one of {', '.join(words)}, saw '{text}'")
    return text


SETTINGS_RULES: tuple[Rule[Stage], ...] = (
    _member("cacheClusterEnabled", read=switch),
    _member("cacheClusterSize"),
    _member("documentationVersion"),
    _member("webAclArn"),
    _member("accessLogSettings", "format", ops=ALL),
    _member("accessLogSettings", "destinationArn", ops=ALL),
    _member("accessLogSettings", ops=("remove",)),
    _member("canarySettings", "percentTraffic", read=_decimal),
    _member("canarySettings", "deploymentId"),
    _member("canarySettings", "useStageCache", read=switch),
    _member("canarySettings", "stageVariableOverrides", "*", ops=ALL),
    _member("canarySettings", ops=("remove",)),
    _method_setting("metrics/enabled", "metricsEnabled", switch),
    _method_setting("logging/dataTrace", "dataTraceEnabled", switch),
    _method_setting("logging/loglevel", "loggingLevel", _text),
    _method_setting("throttling/burstLimit", "throttlingBurstLimit", integer),
    _method_setting("throttling/rateLimit", "throttlingRateLimit", _decimal),
    _method_setting("caching/enabled", "cachingEnabled", switch),
    _method_setting("caching/ttlInSeconds", "cacheTtlInSeconds", integer),
    _method_setting("caching/dataEncrypted", "cacheDataEncrypted", switch),
    _method_setting("caching/requireAuthorizationForCacheControl", "requireAuthorizationForCacheControl", switch),
    _method_setting(
        "caching/unauthorizedCacheControlHeaderStrategy", "unauthorizedCacheControlHeaderStrategy", _strategy
    ),
    Rule("/*/*", _forget_method, ("remove",)),
)
"""Method settings stand under ``/{resource path}/{verb}``, ``~1`` for the slashes of the path, ``*`` for all."""
