"""Carries transactions from state to state: writes intents, sends, writes outcomes, delivers advices."""
