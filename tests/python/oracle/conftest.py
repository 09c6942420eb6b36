# Set-up of the byte-for-byte comparison with the installed bson: import path, peer check, hypothesis profiles. No tests.
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

sys.path.insert(0, str(Path(__file__).parent))

_COMMON = dict(
    deadline=None,
    database=None,
    derandomize=os.environ.get("BAREWIRE_RANDOM") != "1",
    print_blob=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.register_profile("oracle", max_examples=500, **_COMMON)
settings.register_profile("oracle-long", max_examples=20_000, **_COMMON)
settings.load_profile("oracle-long" if os.environ.get("BAREWIRE_LONG") == "1" else "oracle")


@pytest.fixture(autouse=True)
def peer_is_not_ours():
    """The comparison means nothing while our codec sits under the installed bson."""
    import bson

    assert bson.has_c(), "the peer must be bson with its C extension"
    assert bson._dict_to_bson is bson._cbson._dict_to_bson
    assert bson._dict_to_bson.__self__.__name__ == "bson._cbson"
    yield
