"""Random walks over the gateway and its log, which must keep the promise; see ``walk.py``."""
