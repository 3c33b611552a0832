"""``python -m gateway_shim``: the gateway on a port of its own."""

from gateway_shim.server.process.start_signals import START


def main() -> None:
    """Run the gateway's command."""
    # Before the other imports: a signal must not find the program in mid-import.
    START.begin()
    from gateway_shim.log_lines.output import guarded_output
    from gateway_shim.standalone.command import gateway_command

    with guarded_output():
        gateway_command(prog_name="python -m gateway_shim")


main()
