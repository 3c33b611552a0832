"""The engine that orders the events of many servers: Redis Streams.

Redis only orders. Each server keeps a copy of the recent events in its own files, and its streams
read the copy. So everything except an append works as on one server, also while Redis is away.

::

    worker ── append ──▶ Appender ──▶ Redis stream ──▶ Carrier ──▶ CarriedLog ──▶ all workers

**In Redis** (redis/scripts.py) there are, under one prefix and in one slot of a cluster::

    {prefix}:meta            the epoch, the newest position, the last number of each producer
    {prefix}:stream:<epoch>  the entries; the id of one is <position>-1
    {prefix}:processes       the processes of all servers, and until when each counts as running
    {prefix}:parcel:<name>   what one process sends another and what is too large for an entry

All changes are made by scripts, so each is made as a whole or not at all. An *append* names the
epoch that it is for, and a number. If the answer is lost, the same number is sent again, and Redis
returns the position of the first time. So an event is never there twice.

**An entry names the entry before it.** The tag of an entry is unique; each entry also has the tag
of its predecessor. So whoever copies the entries notices at once when Redis goes on from an older
state: after a restart without its file, a failover, an eviction, FLUSHALL. Then the epoch ends.

**A new epoch** is begun by the first process that notices a loss, by compare-and-set; the others
adopt it. The old stream gets an end entry, which wakes all who wait for its next entry. Every
browser is told once.

**The carrier** is one process of each server (a lock, which the kernel passes on, and which another
process takes away from a carrier that hangs). It copies with the same epoch and the same positions.
A carrier that goes on later cannot harm the copy: each step is made only where it was seen.

If Redis has trimmed entries that this server has not copied, the epoch goes on for the others; here
it goes on after a gap, and the streams here are told.

The rights that an ACL user needs: ``~{prefix}:*``, and the commands ``evalsha eval xread xadd
xrange xtrim hget hmget hset hdel hincrby hgetall exists del expire time zadd zrem zrange
zremrangebyscore set getdel ping select``. It may also have
``client|setname``; the inspection uses ``info`` and ``config|get``.
"""
