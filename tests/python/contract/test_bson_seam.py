# The private names that accelerate() replaces, checked against the installed PyMongo; run on the oldest and newest allowed.
import inspect
import subprocess
import sys
import types

import bson
import pymongo
import pytest
from barewire.bson import _accelerate, _seam

RELEASE = pymongo.version_tuple[:2]
PLACES = [place for place in _seam.PLACES if place.exists_in(RELEASE)]


@pytest.fixture(autouse=True)
def untouched():
    assert not _accelerate.is_accelerated()
    yield
    _accelerate.restore()


def identifier(place):
    return f"{place.owner}.{place.name}"


def test_the_installed_release_is_known():
    assert _seam.FIRST_KNOWN <= RELEASE < _seam.FIRST_UNKNOWN
    assert bson.has_c() and pymongo.has_c()


@pytest.mark.parametrize("place", PLACES, ids=identifier)
def test_place_holds_what_is_expected(place):
    found = place.get()
    assert found is not None, f"PyMongo {pymongo.version} has no {identifier(place)}"
    assert _seam.FUNCTIONS[place.function].matches(found)
    source = next(other for other in PLACES if other.function == place.function)
    assert source.get() is found, "names imported by value are the same object everywhere"


@pytest.mark.parametrize("place", [place for place in _seam.PLACES if not place.exists_in(RELEASE)], ids=identifier)
def test_place_of_another_release_is_absent(place):
    """A name listed for other releases only must not stand here too, or the list misses it."""
    try:
        found = place.get()
    except ImportError:
        return
    assert found is None or place.owner == "pymongo.bulk_shared"


def test_no_place_is_missing():
    """Every loaded module of bson, gridfs and pymongo that holds a replaced C function is on the list."""
    import gridfs  # noqa: F401
    import pymongo.asynchronous.encryption  # noqa: F401
    import pymongo.synchronous.encryption  # noqa: F401

    listed = {(place.owner, place.name) for place in PLACES}
    sources = {place.get(): place.function for place in PLACES if place.function != "object_id_init"}
    missing = []
    for module_name, module in list(sys.modules.items()):
        if module_name.split(".")[0] not in ("bson", "gridfs", "pymongo") or module_name.endswith(("._cbson", "._cmessage")):
            continue
        for name, value in vars(module).items():
            if isinstance(value, (types.BuiltinFunctionType, types.FunctionType)) and value in sources:
                if (module_name, name) not in listed:
                    missing.append((module_name, name))
    # Where only the `let` option of one operation is checked, nothing is gained.
    assert [place for place in missing if not place[0].endswith(("cursor", "cursor_shared"))] == []


def test_object_id_has_the_slot_that_is_written():
    descriptor = vars(bson.ObjectId)["_ObjectId__id"]
    assert isinstance(descriptor, types.MemberDescriptorType)


def test_every_function_is_replaced_at_its_places_and_put_back():
    before = {place: place.get() for place in PLACES}
    _accelerate.accelerate()
    for place in PLACES:
        assert place.get() is not before[place], identifier(place)
    _accelerate.restore()
    for place in PLACES:
        assert place.get() is before[place], identifier(place)


@pytest.mark.parametrize("function", ["object_id_init", "validate_is_document_type", "raw_to_dict"])
def test_python_functions_keep_name_signature_and_documentation(function):
    place = next(place for place in PLACES if place.function == function)
    original = place.get()
    _accelerate.accelerate()
    assert inspect.signature(place.get()) == inspect.signature(original)
    assert place.get().__doc__ == original.__doc__ and place.get().__qualname__ == original.__qualname__


def run(program):
    return subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", program], capture_output=True, text=True)


ORDERS = {
    "before pymongo": "from barewire.bson import accelerate, restore\naccelerate()\nimport pymongo, bson\n",
    "after pymongo": "import pymongo, bson\nfrom barewire.bson import accelerate, restore\naccelerate()\n",
    "after encryption": (
        "import pymongo.synchronous.encryption, pymongo.asynchronous.encryption, bson\n"
        "from barewire.bson import accelerate, restore\naccelerate()\n"
    ),
    "before encryption": (
        "from barewire.bson import accelerate, restore\naccelerate()\n"
        "import pymongo.synchronous.encryption, pymongo.asynchronous.encryption, bson\n"
    ),
}


@pytest.mark.parametrize("order", ORDERS)
def test_order_of_imports(order):
    program = ORDERS[order] + (
        "from barewire.bson import _seam\n"
        "import pymongo.message\n"
        "places = [p for p in _seam.PLACES if p.exists_in(pymongo.version_tuple[:2]) and p.loaded]\n"
        "def kinds(): return [_seam.FUNCTIONS[p.function].matches(p.get()) and not hasattr(p.get(), '__wrapped__') for p in places]\n"
        "assert not any(kinds()), [p for p, k in zip(places, kinds()) if k]\n"
        "assert bson.decode(bson.encode({'a': 1})) == {'a': 1}\n"
        "restore()\n"
        "assert all(kinds()), [p for p, k in zip(places, kinds()) if not k]\n"
        "assert bson.decode(bson.encode({'a': 1})) == {'a': 1}\n"
    )
    result = run(program)
    assert result.returncode == 0, result.stderr


def test_an_unknown_release_is_refused(monkeypatch):
    for version in ((4, 12, 1), (4, 21, 0), (5, 0, 0), (3, 13, 0)):
        before = {place: place.get() for place in PLACES}
        monkeypatch.setattr(pymongo, "version_tuple", version)
        monkeypatch.setattr(pymongo, "version", ".".join(map(str, version)))
        with pytest.raises(_accelerate.SeamError, match=pymongo.version):
            _accelerate.accelerate()
        assert isinstance(_accelerate.SeamError("x"), RuntimeError)
        assert all(place.get() is before[place] for place in PLACES)
        assert not _accelerate.is_accelerated()


@pytest.mark.parametrize("place", [place for place in PLACES if not place.on_demand], ids=identifier)
def test_a_name_that_is_missing_or_changed_is_refused(place, monkeypatch):
    before = {other: other.get() for other in PLACES}
    for change in (lambda: monkeypatch.setattr(place.object(), place.name, lambda *_: None),
                   lambda: monkeypatch.delattr(place.object(), place.name)):
        change()
        with pytest.raises(_accelerate.SeamError, match=place.name):
            _accelerate.accelerate()
        monkeypatch.undo()
        assert all(other.get() is before[other] for other in PLACES)


def test_without_the_c_extension(monkeypatch):
    monkeypatch.setattr(pymongo, "has_c", lambda: False)
    with pytest.raises(_accelerate.SeamError, match="C extension"):
        _accelerate.accelerate()
