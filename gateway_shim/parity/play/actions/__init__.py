"""The actions: what the kit does for each kind of step.

Each action gets the context of the scenario and the step, and leaves what it has seen in the
context. :mod:`gateway_shim.parity.play.actions.dispatch` chooses the action for a step.
"""
