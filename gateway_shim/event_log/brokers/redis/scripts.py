"""The scripts that Redis runs. Each is carried out as a whole, or refused as a whole.

A script writes to the stream before anything else: Redis refuses a script for lack of memory only
at its first write. Positions are written with ``%.0f``, because Lua would round large numbers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

__all__ = ["APPEND", "BEGIN", "END_ID", "LOOK", "PULSE", "SWEEP", "Script"]

END_ID = "9007199254740992-1"
"""The id of the entry that ends the stream of an epoch. It is larger than all others."""


@dataclass(frozen=True)
class Script:
    """A script.

    Args:
        text: its text.
    """

    text: str

    @property
    def sha(self) -> str:
        """The name by which Redis knows it."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


APPEND = Script("""
-- KEYS: meta, stream. ARGV: epoch, signature, known position, producer, number, entries to keep,
-- a sixteenth of the bytes to keep, the entries.
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'signature', 'position', 'bytes', 'tag',
  'p:' .. ARGV[4])
if meta[1] ~= ARGV[1] then return {'epoch', meta[1] or ''} end
if meta[2] ~= ARGV[2] then return {'signature', meta[2] or ''} end
local position = tonumber(meta[3])
if position < tonumber(ARGV[3]) then return {'lost'} end
local number = tonumber(ARGV[5])
if meta[6] then
  local last, first = string.match(meta[6], '^(%d+) (%d+) ')
  if tonumber(last) == number then return {'done', first} end
  if tonumber(last) > number then return {'stale'} end
end
local tag, bytes = meta[5], tonumber(meta[4])
for i = 8, #ARGV do
  local own = string.format('%s:%s:%d', ARGV[4], ARGV[5], i - 8)
  local id = string.format('%.0f-1', position + i - 7)
  local added = redis.pcall('XADD', KEYS[2], 'NOMKSTREAM', 'MAXLEN', '~', ARGV[6],
    id, own .. ' ' .. tag, ARGV[i])
  if not added then return {'lost'} end
  if added.err then
    if string.find(added.err, 'equal or smaller') then return {'lost'} end
    return added
  end
  tag, bytes = own, bytes + #ARGV[i] + #id
end
local first = string.format('%.0f', position + 1)
-- The bytes are counted, and at each sixteenth of the limit the position is noted. The entries
-- before the note of sixteen sixteenths ago go.
local unit = tonumber(ARGV[7])
local before, now = math.floor(tonumber(meta[4]) / unit), math.floor(bytes / unit)
if now > before then
  local oldest = redis.call('HGET', KEYS[1], 'b:' .. now % 16)
  for slot = math.max(before + 1, now - 15), now do
    redis.call('HSET', KEYS[1], 'b:' .. slot % 16, first)
  end
  if now - before >= 16 then oldest = first end
  if oldest then redis.call('XTRIM', KEYS[2], 'MINID', oldest .. '-1') end
end
redis.call('HSET', KEYS[1], 'position', string.format('%.0f', position + #ARGV - 7), 'tag', tag,
  'bytes', string.format('%.0f', bytes),
  'p:' .. ARGV[4], string.format('%s %s %s', ARGV[5], first, redis.call('TIME')[1]))
return {'done', first}
""")
"""Append entries.

Returns ``done`` and the position of the first one, also if this number was appended before;
``epoch`` and the name of the epoch that is in use; ``signature`` and that of the epoch; ``lost`` if
Redis knows less than it did; ``stale`` if a larger number was appended.
"""

BEGIN = Script(
    """
-- KEYS: meta, the stream of the epoch that the caller knows, the stream of the new epoch.
-- ARGV: the epoch that is in use, the new epoch, its signature, 1 if the caller knows an epoch.
local actual = redis.call('HGET', KEYS[1], 'epoch') or ''
if actual ~= ARGV[1] then return actual end
local added = redis.pcall('XADD', KEYS[3], '0-1', 'begin', '0:')
if added.err then return added end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'signature', ARGV[3],
  'position', '0', 'bytes', '0', 'tag', 'begin')
if ARGV[4] == '1' then
  redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', '1', '"""
    + END_ID
    + """', 'end', '')
  redis.call('EXPIRE', KEYS[2], 60)
end
return ARGV[2]
"""
)
"""Begin an epoch, if the one in use is the one that the caller names. Returns the one in use."""

LOOK = Script("""
-- KEYS: meta, stream. ARGV: epoch, position.
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'signature', 'position', 'tag')
local wrote = redis.pcall('HDEL', KEYS[1], '-')  -- a replica refuses this
if type(wrote) == 'table' and wrote.err then return wrote end
local answer = {meta[1] or '', meta[2] or '', meta[3] or '0', meta[4] or '', 0}
if meta[1] ~= ARGV[1] then return answer end
answer[5] = redis.call('EXISTS', KEYS[2])
answer[6] = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
answer[7] = redis.call('XRANGE', KEYS[2], ARGV[2] .. '-1', ARGV[2] .. '-1')
return answer
""")
"""Look at the epoch, and at the entry of a position.

Returns the epoch, the signature, the newest position and its tag; then, if the caller knows the
epoch: 1 if the stream exists, its oldest entry, and the entry of the position.
"""

PULSE = Script("""
-- KEYS: meta, processes. ARGV: the name of the process, milliseconds, the digest that it knows.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local added = 0
if tonumber(ARGV[2]) > 0 then
  added = redis.pcall('ZADD', KEYS[2], string.format('%.0f', now + ARGV[2]), ARGV[1])
  if type(added) == 'table' and added.err then return added end
  redis.call('EXPIRE', KEYS[2], 3600)
else
  redis.call('ZREM', KEYS[2], ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))
local names = redis.call('ZRANGE', KEYS[2], 0, -1)
table.sort(names)
local digest = redis.sha1hex(table.concat(names, ' '))
if digest == ARGV[3] then names = {} end
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'position')
return {meta[1] or '', meta[2] or '0', added, digest, names}
""")
"""Note that a process runs; with 0 milliseconds: that it has ended.

Returns the epoch, the newest position, 1 if Redis did not know the process, the digest of all
names, and the names if the digest is another one than the caller's.
"""

SWEEP = Script("""
-- KEYS: meta. ARGV: seconds.
local all = redis.call('HGETALL', KEYS[1])
local before, old = redis.call('TIME')[1] - ARGV[1], {}
for i = 1, #all, 2 do
  local when = string.sub(all[i], 1, 2) == 'p:' and string.match(all[i + 1], ' (%d+)$')
  if when and tonumber(when) < before then redis.call('HDEL', KEYS[1], all[i]) end
end
return 1
""")
"""Forget the producers that have appended nothing for so many seconds."""
