"""Runs one gateway process: telemetry, start, drain, exit.
