"""Tests of the browser client in a page that Vite serves or packs, and where it cannot share."""
