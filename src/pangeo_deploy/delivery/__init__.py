"""Continuous deployment: what a change does, the plan that is carried out, what is kept of it."""

__all__ = ["deployment_record", "event_calendar"]
