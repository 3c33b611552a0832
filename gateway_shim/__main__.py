"""Runs the standalone gateway: ``python -m gateway_shim``."""

from gateway_shim.server.process.start_signals import START


def main() -> None:
    """Run the command of the standalone gateway."""
    START.begin()
    # Imported only now, because a signal must not interrupt an import.
    from gateway_shim.log_lines.output import guarded_output
    from gateway_shim.server.process.gunicorn_import import gunicorn_importable

    with gunicorn_importable():
        from gateway_shim.standalone.command import gateway_command

    with guarded_output():
        gateway_command(prog_name="python -m gateway_shim")


main()
