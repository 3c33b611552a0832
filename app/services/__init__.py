"""The backend's services: what happened, and to whom it matters."""
