"""What the dashboards show: each panel's expressions, unit and text; `deploy.grafana` draws them."""

from __future__ import annotations

from deploy.grafana.lines import MONEY, OF, Board, Panel, counted, quantile, quantiles, rate, shared

FAULTS = (
    "sum by (giftcard_place) "
    "(increase((sum by (giftcard_place, instance) (giftcard_fault_total))[$__rate_interval:30s]))"
)
"""Added up first: the first fault of a type is a series that had no zero."""
CALLS, EXCHANGES = "rpc_server_call_duration_seconds", "http_client_request_duration_seconds"
STATE = "giftcard_provider, giftcard_state"
OWED = f'{OF},giftcard_state=~"CONFIRMING|REVERSING"'

OVERVIEW = (
    (
        "What is promised",
        (
            Panel(
                "Budget left, 30 days",
                "percentunit",
                (("giftcard:slo:left_ratio30d", "{{slo}}"),),
                "Below zero more went wrong than may.",
                "stat",
            ),
            Panel(
                "Burn rate, one hour",
                "none",
                (("giftcard:slo:burn_rate1h", "{{slo}}"),),
                "A page from 14.4 on.",
            ),
            Panel(
                "Burn rate, six hours",
                "none",
                (("giftcard:slo:burn_rate6h", "{{slo}}"),),
                "A ticket from 6 on.",
            ),
        ),
    ),
    (
        "Calls",
        (
            Panel(
                "Calls",
                "reqps",
                ((rate(f"{CALLS}_count", "rpc_method"), "{{rpc_method}}"),),
                "What is asked for.",
            ),
            Panel(
                "Failed by our fault",
                "reqps",
                (
                    (
                        rate(
                            f"{CALLS}_count",
                            "rpc_method, rpc_response_status_code",
                            'error_type!="",error_type!="UNIMPLEMENTED"',
                        ),
                        "{{rpc_method}} {{rpc_response_status_code}}",
                    ),
                ),
                "See: calls fail.",
            ),
            Panel(
                "Errors by reason",
                "reqps",
                (
                    (
                        rate("giftcard_call_errors_total", "giftcard_reason, giftcard_budget"),
                        "{{giftcard_reason}} {{giftcard_budget}}",
                    ),
                ),
                "Callers' faults too.",
            ),
            Panel(
                "How long money takes",
                "s",
                tuple((quantile(share, CALLS, labels=MONEY), f"{share:.0%}") for share in (0.5, 0.95, 0.99)),
                "Provider included.",
            ),
            Panel(
                "Outcomes",
                "ops",
                ((rate("giftcard_transaction_states_total", "giftcard_state", OF), "{{giftcard_state}}"),),
                "Transactions that came into a state.",
            ),
            Panel(
                "Refused",
                "reqps",
                (
                    (
                        rate("giftcard_overload_refused_total", "giftcard_cause"),
                        "no room: {{giftcard_cause}}",
                    ),
                    (rate("giftcard_access_refused_total", "giftcard_reason"), "{{giftcard_reason}}"),
                ),
                "For want of room, and for who asked.",
            ),
        ),
    ),
)
PROVIDERS = (
    (
        "Can they be reached",
        (
            Panel(
                "Circuit",
                "none",
                ((shared("giftcard_circuit_state", "giftcard_provider"), "{{giftcard_provider}}"),),
                "0 closed, 1 half open, 2 open, at the process that sees it worst.",
            ),
            Panel(
                "Paused",
                "none",
                ((shared("giftcard_provider_paused", "giftcard_provider"), "{{giftcard_provider}}"),),
                "1 while nothing new is sent there. See: a provider is paused.",
            ),
            Panel(
                "Exchanges",
                "reqps",
                (
                    (
                        rate(f"{EXCHANGES}_count", "giftcard_provider, giftcard_operation", OF),
                        "{{giftcard_provider}} {{giftcard_operation}}",
                    ),
                ),
                "Every attempt, repeats included.",
            ),
            Panel(
                "Exchanges that failed",
                "reqps",
                (
                    (
                        rate(f"{EXCHANGES}_count", "giftcard_provider, error_type", f'{OF},error_type!=""'),
                        "{{giftcard_provider}} {{error_type}}",
                    ),
                ),
                "By HTTP status, or by what broke.",
            ),
            Panel(
                "How long an exchange takes, 95 %",
                "s",
                ((quantile(0.95, EXCHANGES, "giftcard_provider", OF), "{{giftcard_provider}}"),),
                "See: a provider is slow.",
            ),
            Panel(
                "How long an exchange takes, half",
                "s",
                ((quantile(0.5, EXCHANGES, "giftcard_provider", OF), "{{giftcard_provider}}"),),
                "",
            ),
            Panel(
                "Under way",
                "none",
                (
                    (
                        f"sum by (giftcard_provider, giftcard_lane) (giftcard_provider_in_flight{{{OF}}})",
                        "{{giftcard_provider}} {{giftcard_lane}}",
                    ),
                    (
                        f"sum by (giftcard_provider) (giftcard_provider_limit{{{OF}}})",
                        "{{giftcard_provider}} at most",
                    ),
                ),
                "Against `max_in_flight` of all processes.",
            ),
        ),
    ),
    (
        "What they are owed",
        (
            Panel(
                "Backlog",
                "none",
                (
                    (
                        shared("giftcard_backlog_transactions", STATE),
                        "{{giftcard_provider}} {{giftcard_state}}",
                    ),
                ),
                "Open transactions.",
            ),
            Panel(
                "Due for so long",
                "s",
                ((shared("giftcard_backlog_lag_seconds", "giftcard_provider"), "{{giftcard_provider}}"),),
                "Work that nobody has taken up.",
            ),
            Panel(
                "Left out of answers",
                "ops",
                (
                    (
                        rate("giftcard_answer_left_out_total", "giftcard_provider, giftcard_place", OF),
                        "{{giftcard_provider}} {{giftcard_place}}",
                    ),
                ),
                "What could not be read, and decided nothing.",
            ),
            Panel(
                "Webhooks",
                "reqps",
                (
                    (
                        rate("giftcard_webhook_requests_total", "giftcard_provider, giftcard_result", OF),
                        "{{giftcard_provider}} {{giftcard_result}}",
                    ),
                ),
                "Kept, refused or failed.",
            ),
            Panel("Webhooks waiting", "none", (("max(giftcard_webhook_waiting)", "events"),), ""),
        ),
    ),
)
PROMISES = (
    (
        "Now",
        (
            Panel(
                "For a person",
                "none",
                (
                    (
                        shared(
                            "giftcard_backlog_transactions",
                            "giftcard_provider",
                            f'{OF},giftcard_state="UNRESOLVED"',
                        ),
                        "{{giftcard_provider}}",
                    ),
                ),
                "See: a transaction is UNRESOLVED.",
                "stat",
            ),
            Panel(
                "Owed",
                "none",
                (
                    (
                        shared("giftcard_backlog_transactions", STATE, OWED),
                        "{{giftcard_provider}} {{giftcard_state}}",
                    ),
                ),
                "Confirmations and reversals that are not through.",
                "stat",
            ),
            Panel(
                "Shortest window left",
                "s",
                (
                    (
                        shared("giftcard_reversal_window_left_seconds", "giftcard_provider", of="min"),
                        "{{giftcard_provider}}",
                    ),
                ),
                "Below zero the provider takes the reversal no more.",
                "stat",
            ),
        ),
    ),
    (
        "Over time",
        (
            Panel(
                "Open",
                "none",
                (
                    (
                        shared("giftcard_backlog_transactions", STATE),
                        "{{giftcard_provider}} {{giftcard_state}}",
                    ),
                ),
                "",
            ),
            Panel(
                "Age of the oldest",
                "s",
                (
                    (
                        shared("giftcard_backlog_age_seconds", STATE),
                        "{{giftcard_provider}} {{giftcard_state}}",
                    ),
                ),
                "See: advices pile up.",
            ),
            Panel(
                "Came to a person",
                "none",
                (
                    (
                        counted(
                            "giftcard_transaction_unresolved_total",
                            "giftcard_provider, giftcard_operation",
                            OF,
                        ),
                        "{{giftcard_provider}} {{giftcard_operation}}",
                    ),
                ),
                "",
            ),
            Panel(
                "Windows used up",
                "none",
                (
                    (
                        counted("giftcard_reversal_window_total", "giftcard_provider, giftcard_severity", OF),
                        "{{giftcard_provider}} {{giftcard_severity}}",
                    ),
                ),
                "Half is a warning, nine tenths are critical.",
            ),
            Panel(
                "Kept",
                "ops",
                (
                    (
                        rate(
                            "giftcard_transaction_states_total",
                            STATE,
                            f'{OF},giftcard_state=~"CONFIRMED|REVERSED"',
                        ),
                        "{{giftcard_provider}} {{giftcard_state}}",
                    ),
                ),
                "",
            ),
            Panel(
                "Worked on",
                "none",
                (("sum(giftcard_transaction_driven)", "transactions"),),
                "By all processes.",
            ),
        ),
    ),
)
PROCESS = (
    (
        "Journal",
        (
            Panel(
                "Away", "s", (("giftcard_journal_away_seconds", "{{instance}}"),), "See: the journal is away."
            ),
            Panel("Forgot", "none", (("giftcard_journal_forgot_total", "{{instance}}"),), "The journal has."),
            Panel(
                "Commits",
                "s",
                quantiles("db_client_operation_duration_seconds"),
                "A batch of writes, from its sending to its commit.",
            ),
            Panel(
                "Waiting for a turn",
                "s",
                quantiles("giftcard_journal_queue_duration_seconds"),
                "",
            ),
            Panel(
                "Sessions",
                "none",
                (
                    (
                        "sum by (db_client_connection_state) (db_client_connection_count)",
                        "{{db_client_connection_state}}",
                    ),
                    ("sum(db_client_connection_max)", "at most"),
                ),
                "",
            ),
            Panel(
                "Damaged rows", "none", (("max(giftcard_journal_damaged)", "rows"),), "See: RECORD_ALTERED."
            ),
            Panel(
                "Keys that a host lacks",
                "none",
                (("max by (giftcard_key_id) (giftcard_seal_elsewhere)", "{{giftcard_key_id}}"),),
                "Open transactions under them.",
            ),
        ),
    ),
    (
        "Process",
        (
            Panel(
                "Loop's lag, 99 %",
                "s",
                (("giftcard:loop_lag:p99_5m", "{{instance}}"),),
                "See: a process has too much to do.",
            ),
            Panel(
                "Calls under way",
                "none",
                (
                    ("sum by (giftcard_lane) (giftcard_call_in_flight)", "{{giftcard_lane}}"),
                    ("sum by (giftcard_lane) (giftcard_call_limit)", "{{giftcard_lane}} at most"),
                ),
                "",
            ),
            Panel(
                "Faults",
                "none",
                ((FAULTS, "{{giftcard_place}}"),),
                "What should not have happened.",
            ),
            Panel(
                "CPU",
                "percentunit",
                ((rate("process_cpu_time_seconds_total", "instance"), "{{instance}}"),),
                "",
            ),
            Panel("Memory", "bytes", (("process_memory_usage_bytes", "{{instance}}"),), ""),
            Panel(
                "Files, sockets, threads",
                "none",
                (
                    ("process_unix_file_descriptor_count", "{{instance}} files"),
                    ("process_thread_count", "{{instance}} threads"),
                ),
                "",
            ),
            Panel(
                "Configurations read",
                "none",
                ((counted("giftcard_config_reloads_total", "giftcard_result"), "{{giftcard_result}}"),),
                "See: the configuration was refused.",
            ),
            Panel("Up", "s", (("process_uptime_seconds", "{{instance}}"),), ""),
            Panel(
                "Garbage collections",
                "ops",
                (
                    (
                        rate("cpython_gc_collections_total", "instance, cpython_gc_generation"),
                        "{{instance}} {{cpython_gc_generation}}",
                    ),
                ),
                "",
            ),
        ),
    ),
)
BOARDS = (
    Board("giftcard-overview", "Gift cards: overview", OVERVIEW),
    Board("giftcard-providers", "Gift cards: providers", PROVIDERS),
    Board("giftcard-promises", "Gift cards: promises", PROMISES),
    Board("giftcard-process", "Gift cards: journal and process", PROCESS),
)
