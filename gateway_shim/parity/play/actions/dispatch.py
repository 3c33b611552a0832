"""The choice of the action for each kind of step."""

from __future__ import annotations

import time

from gateway_shim.parity.play.actions import (
    crowd,
    heartbeats,
    listening,
    process_signals,
    process_starts,
    raw_requests,
    streams,
)
from gateway_shim.parity.play.context import PlayContext
from gateway_shim.parity.reply import Reply
from gateway_shim.parity.steps import (
    AwaitCallback,
    AwaitCalls,
    AwaitExit,
    AwaitHeartbeats,
    Drop,
    End,
    Fence,
    Gone,
    Interrupt,
    LeaveTogether,
    ListensOn,
    OnDisconnect,
    Open,
    Overflow,
    Pause,
    Post,
    Raw,
    Release,
    Request,
    Rest,
    Send,
    SendCompressed,
    SendMany,
    Step,
    Terminate,
    TryStart,
)

__all__ = ["run_step"]


def run_step(context: PlayContext, step: Step) -> None:
    """Run one step of a scenario.

    Args:
        context: the scenario's context.
        step: the step.

    Raises:
        OSError: the gateway does not answer.
        NotHttp: the gateway's answer is not HTTP.
        GatewayFailed: a gateway that the step starts does not start.
    """
    session, client = context.session, context.client
    match step:
        # Streams
        case Open():
            streams.open_stream(context, step)
        case Fence():
            streams.fence(context, step)
        case End(stream):
            context.wait(context.streams[stream].read_to_end)
            context.values[f"answered_disconnects:{stream}"] = session.answered_disconnects
        case Drop(stream, reset):
            connection = context.streams[stream]
            connection.reset() if reset else connection.close()
        case AwaitHeartbeats():
            heartbeats.await_heartbeats(context, step)
        case LeaveTogether(count):
            context.values["held"] = crowd.leave_together(context, count)
        # Sends and other requests
        case Send(body, name, stream):
            context.answers[name] = context.send(body, stream)
            context.values[f"answered_disconnects:{name}"] = session.answered_disconnects
        case SendCompressed(body, coding, packing, name, stream):
            token = context.tokens.get(stream)
            context.answers[name] = client.send(body, token, coding=coding, packing=packing)
        case SendMany():
            streams.send_many(context, step)
        case Overflow():
            streams.overflow(context, step)
        case Gone():
            streams.send_until_gone(context, step)
        case Post(raw, content_type, name):
            context.answers[name] = client.post(raw.encode("latin-1"), content_type)
        case Request(method, target, headers, body, name):
            context.answers[name] = client.exchange(method, target, headers, body.encode())
        case Raw():
            raw_requests.send_raw(context, step)
        case Rest():
            raw_requests.read_rest(context, step)
        # Callbacks
        case OnDisconnect(sends, status, reply):
            session.on_disconnect = reply or Reply(status, sends=sends)
        case Release():
            session.release()
        case AwaitCallback(stream):
            streams.await_disconnect(context, stream)
        case AwaitCalls(count):
            context.wait(lambda seconds: session.wait_for(lambda c: len(c) >= count, seconds))
        # Processes
        case Interrupt():
            process_signals.interrupt(context, step)
        case Terminate():
            process_signals.terminate(context)
        case TryStart():
            process_starts.try_start(context, step)
        case AwaitExit():
            process_starts.await_exit(context, step)
        case ListensOn():
            listening.listens_on(context, step)
        # Time
        case Pause(seconds):
            time.sleep(seconds)
