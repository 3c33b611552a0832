"""``python -m gateway_shim``: the gateway on a port of its own."""

from gateway_shim.command import gateway_command
from gateway_shim.output import guarded_output

with guarded_output():
    gateway_command(prog_name="python -m gateway_shim")
