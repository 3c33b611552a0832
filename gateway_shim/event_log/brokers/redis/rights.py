"""The trial of the rights of a Redis user: runs what the engine needs, on keys of its own."""

from __future__ import annotations

import secrets

from gateway_shim.errors import BusRefused
from gateway_shim.event_log.brokers.redis.client import RedisClient
from gateway_shim.event_log.brokers.redis.keys import Keys

__all__ = ["missing_rights"]

_TRIAL = """
-- KEYS: a hash, a stream, a sorted set; none of them exists.
local missing = {}
local function try(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then
    table.insert(missing, (...) .. ' ' .. answer.err)
  end
end
try('TIME')
try('HSET', KEYS[1], 'a', '1')
try('HINCRBY', KEYS[1], 'a', 1)
try('HGET', KEYS[1], 'a')
try('HMGET', KEYS[1], 'a', 'b')
try('HGETALL', KEYS[1])
try('HDEL', KEYS[1], 'a')
try('EXISTS', KEYS[1])
try('XADD', KEYS[2], 'MAXLEN', '~', '1', '0-1', 'a', '')
try('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
try('XTRIM', KEYS[2], 'MINID', '1-1')
try('ZADD', KEYS[3], '1', 'a')
try('ZRANGE', KEYS[3], 0, -1)
try('ZREMRANGEBYSCORE', KEYS[3], '-inf', '0')
try('ZREM', KEYS[3], 'a')
for _, key in ipairs(KEYS) do
  try('EXPIRE', key, 60)
  try('DEL', key)
end
return missing
"""


def missing_rights(client: RedisClient, keys: Keys) -> list[str]:
    """Try all commands of the engine, and return what this user may not do.

    The keys of the trial are removed at once; where this is not allowed, after a minute.

    Args:
        client: the connection.
        keys: the names of the engine's keys, which those of the trial resemble.

    Returns:
        The commands that were refused, each with Redis's reason.

    Raises:
        BusUnreachable: there was no answer.
    """
    names = [keys.parcel(f"trial-{secrets.token_hex(8)}") for _ in range(4)]
    stream, parcel = names[1], names[3]
    missing = _refusals(client, "EVALSHA", "0" * 40, 0)
    try:
        answer = client.call("EVAL", _TRIAL, 3, *names[:3])  # not EVALSHA, which may know it
    except BusRefused as exc:
        missing.append(f"EVAL: {exc}")
    else:
        texts = (item.decode("utf-8", "replace") for item in answer)
        missing += dict.fromkeys(" ".join(text.split()) for text in texts)
    missing += _refusals(client, "XREAD", "COUNT", 1, "STREAMS", stream, "0-0")
    missing += _refusals(client, "SET", parcel, "", "EX", 60)
    missing += _refusals(client, "GETDEL", parcel)
    return missing


def _refusals(client: RedisClient, *command: str | int) -> list[str]:
    try:
        client.call(*command)
    except BusRefused as exc:
        if "NOSCRIPT" not in str(exc) and "No matching script" not in str(exc):
            return [f"{command[0]}: {exc}"]
    return []
