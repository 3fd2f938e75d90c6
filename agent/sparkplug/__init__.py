"""Sparkplug B, the dialect of many SCADA systems (https://sparkplug.eclipse.org, specification 3.0.0)."""
