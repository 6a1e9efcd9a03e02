"""The conformance suite: checks that any package can run against its own adapter and simulator.

An adapter's author writes one `Subject` and runs `cases(subject)`, and keeps golden exchanges in a
folder and runs `goldens(folder)`. Nothing here names a provider or needs a test runner. A check that
fails raises `NotConforming`, whose text says what to write.
"""

from giftcard_conformance.golden import goldens
from giftcard_conformance.subject import NotConforming, ReadSample, Sample, Subject
from giftcard_conformance.suite import Case, cases
from giftcard_conformance.world import World

__all__ = ["Case", "NotConforming", "ReadSample", "Sample", "Subject", "World", "cases", "goldens"]
