"""Firmware and distribution images as guests: see scripts/guests."""
