"""vedbus as a battery service meets it: what a program does with it, and what the bus shows."""

import dbus
import pytest

from tests.contract.subject_process import Subject, SubjectError
from tests.harness.bus_client import BusClient
from tests.harness.waiting import wait_for

NAME = "com.victronenergy.battery.subject"
NEW = f"service = VeDbusService('{NAME}', bus, register=False)"


@pytest.fixture(autouse=True)
def new_service(subject: Subject) -> None:
    subject(NEW)


def offer(subject: Subject, *paths: str) -> None:
    """Add paths, each given as the arguments of add_path, then register."""
    for arguments in paths:
        subject(f"service.add_path({arguments}) and None")
    subject("service.register()")


# Types and texts


@pytest.mark.parametrize(
    ("value", "on_the_wire"),
    [
        ("7", dbus.Int32(7)),
        ("-7", dbus.Int32(-7)),
        ("2**31 - 1", dbus.Int32(2**31 - 1)),
        ("2**31", dbus.Int64(2**31)),
        ("52.5", dbus.Double(52.5)),
        ("3.0", dbus.Double(3.0)),
        ("'C3'", dbus.String("C3")),
        ("''", dbus.String("")),
        ("True", dbus.Boolean(True)),
        ("None", dbus.Array([], signature="i")),
        ("[]", dbus.Array([], signature="u")),
    ],
)
def test_a_python_type_has_one_type_on_the_wire(
    subject: Subject, client: BusClient, value: str, on_the_wire: object
) -> None:
    offer(subject, f"'/A', {value}", "'/B', 'other'")
    seen = client.get("/A")
    assert seen == on_the_wire
    assert type(seen) is type(on_the_wire)
    assert getattr(seen, "signature", None) == getattr(on_the_wire, "signature", None)

    subject(f"with service as s: s['/B'] = {value}")
    [(_, _, changes)] = client.heard()
    assert type(changes["/B"]["Value"]) is type(on_the_wire)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("'/A', None", "---"),
        ("'/A', 7", "7"),
        ("'/A', 52.5", "52.5"),
        ("'/A', 'C3'", "C3"),
        ("'/A', True", "True"),
        ("'/A', 53.126, gettextcallback=lambda path, value: f'{path} {value:.2f}V'", "/A 53.13V"),
        ("'/A', None, gettextcallback=lambda path, value: 1 / 0", "---"),
    ],
)
def test_text(subject: Subject, client: BusClient, arguments: str, text: str) -> None:
    offer(subject, arguments)
    assert client.text("/A") == text
    assert type(client.text("/A")) is dbus.String


def test_the_product_id_has_a_text_of_its_own(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/ProductId', 0xC065")
    assert client.text("/ProductId") == "0xC065"


def test_a_value_that_its_text_callback_cannot_digest_spoils_the_whole_service(
    subject: Subject, client: BusClient
) -> None:
    """A trap of the real thing, and the reason for a gate in front of it."""
    offer(
        subject,
        "'/Voltage', 53.1, gettextcallback=lambda path, value: f'{value:.2f}V'",
        "'/Soc', 61",
    )
    with pytest.raises(SubjectError):
        subject("service['/Voltage'] = 'high'")
    assert client.get("/Voltage") == "high"
    with pytest.raises(dbus.DBusException):
        client.call("/", "GetItems")


def test_description(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 1, 'the first letter'", "'/B', 1, None")

    def description(path: str) -> str:
        return client.call(path, "GetDescription", "en", 80, signature="si")

    assert description("/A") == "the first letter"
    assert description("/B") == "No description given"


# The tree


def test_the_root_has_all_items_with_value_and_text(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/Dc/0/Voltage', 53.1", "'/Soc', None")
    items = client.call("/", "GetItems")
    assert items == {
        "/Dc/0/Voltage": {"Value": 53.1, "Text": "53.1"},
        "/Soc": {"Value": [], "Text": "---"},
    }
    assert items.signature == "sa{sv}"


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/", {"Dc/0/Voltage": 53.1, "Dc/0/Current": 2, "Dcx": 1}),
        ("/Dc", {"0/Voltage": 53.1, "0/Current": 2}),
        ("/Dc/0", {"Voltage": 53.1, "Current": 2}),
    ],
)
def test_a_node_answers_for_what_is_below_it(
    subject: Subject, client: BusClient, path: str, values: dict[str, object]
) -> None:
    offer(subject, "'/Dc/0/Voltage', 53.1", "'/Dc/0/Current', 2", "'/Dcx', 1")
    assert client.get(path) == values
    assert client.text(path) == {name: str(value) for name, value in values.items()}
    assert client.get(path).signature == "sv"


def test_mandatory_paths(subject: Subject, client: BusClient) -> None:
    subject("service.add_mandatory_paths('me', '1.2', 'MQTT', 3, 0xC065, 'Battery', 1, None, 1)")
    offer(subject)
    assert client.get("/") == {
        "Mgmt/ProcessName": "me",
        "Mgmt/ProcessVersion": "1.2",
        "Mgmt/Connection": "MQTT",
        "DeviceInstance": 3,
        "ProductId": 0xC065,
        "ProductName": "Battery",
        "FirmwareVersion": 1,
        "HardwareVersion": [],
        "Connected": 1,
    }


# Writes from outside

WRITABLE = "'/A', 5, writeable=True"
HEAR = "onchangecallback=lambda path, value: heard.append([path, value]) or value != 13"


@pytest.mark.parametrize(
    ("arguments", "written", "code", "value"),
    [
        pytest.param("'/A', 5", 6, 1, 5, id="read-only"),
        pytest.param("'/A', 5", 5, 1, 5, id="read-only, equal"),
        pytest.param(WRITABLE, 6, 0, 6, id="taken without being asked"),
        pytest.param(WRITABLE, "word", 0, "word", id="any type, where none is named"),
        pytest.param(f"{WRITABLE}, {HEAR}", 6, 0, 6, id="taken by the callback"),
        pytest.param(f"{WRITABLE}, {HEAR}", 13, 2, 5, id="refused by the callback"),
        pytest.param(f"{WRITABLE}, {HEAR}", 5, 0, 5, id="equal"),
        pytest.param(f"{WRITABLE}, valuetype=int", "word", 1, 5, id="wrong type"),
        pytest.param(f"{WRITABLE}, valuetype=int", "6", 0, 6, id="converted"),
        pytest.param(f"{WRITABLE}, valuetype=float", dbus.Int32(6), 0, 6.0, id="to a float"),
        pytest.param(f"{WRITABLE}, valuetype=int", dbus.Array([], "i"), 0, [], id="invalidated"),
    ],
)
def test_set_value(
    subject: Subject, client: BusClient, arguments: str, written: object, code: int, value: object
) -> None:
    offer(subject, arguments)
    assert client.set("/A", written) == code
    assert client.get("/A") == value
    changed = value != 5
    assert [(path, name) for path, name, _ in client.heard()] == [
        ("/A", "PropertiesChanged")
    ] * changed


def test_a_converted_write_keeps_its_type_on_the_wire(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 5.5, writeable=True, valuetype=float")
    client.set("/A", dbus.Int32(6))
    assert type(client.get("/A")) is dbus.Double
    [(_, _, changes)] = client.heard()
    assert changes == {"Value": 6.0, "Text": "6.0"}


def test_the_callback_hears_path_and_plain_value_before_the_value_changes(
    subject: Subject, client: BusClient
) -> None:
    offer(
        subject,
        "'/A', 5, writeable=True, onchangecallback="
        "lambda path, value: heard.append([path, type(value).__name__, service['/A']]) or True",
    )
    for written in (dbus.UInt16(6), dbus.Double(1.5), "word", dbus.Array([], "i"), dbus.Boolean(1)):
        assert client.set("/A", written) == 0
    assert subject("heard") == [
        ["/A", "int", 5],
        ["/A", "float", 6],
        ["/A", "str", 1.5],
        ["/A", "NoneType", "word"],
        ["/A", "bool", None],
    ]


def test_an_equal_write_is_hidden_from_the_callback(subject: Subject, client: BusClient) -> None:
    offer(subject, f"{WRITABLE}, {HEAR}")
    assert [client.set("/A", value) for value in (5, 5.0, 6, 6)] == [0, 0, 0, 0]
    assert subject("heard") == [["/A", 6]]


def test_an_item_type_of_ones_own_sees_every_write(subject: Subject, client: BusClient) -> None:
    subject("""
        class Attentive(VeDbusItemExport):
            @dbus.service.method("com.victronenergy.BusItem", in_signature="v", out_signature="i")
            def SetValue(self, newvalue):
                heard.append(int(newvalue))
                if newvalue > 10:
                    return 2
                self.local_set_value(int(newvalue))
                return 0
    """)
    offer(subject, "'/A', 5, writeable=True, itemtype=Attentive", WRITABLE.replace("A", "B"))
    assert [client.set("/A", value) for value in (5, 5, 6, 6, 11)] == [0, 0, 0, 0, 2]
    assert subject("heard") == [5, 5, 6, 6, 11]
    assert client.get("/A") == 6
    assert len(client.heard()) == 1
    assert client.call("/", "GetItems")["/A"] == {"Value": 6, "Text": "6"}
    assert client.set("/B", 9) == 0


def test_an_item_type_is_constructed_like_the_original(subject: Subject) -> None:
    subject("""
        class Curious(VeDbusItemExport):
            def __init__(self, *args, **kwargs):
                heard.append([len(args), sorted(kwargs)])
                super().__init__(*args, **kwargs)
    """)
    made = subject("type(service.add_path('/A', 5, itemtype=Curious)).__name__")
    assert made == "Curious"
    assert subject("heard") == [[7, ["deletecallback", "valuetype"]]]


# Changes from inside


def test_a_value_set_alone_is_signalled_from_its_path(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 5", "'/B', 5")
    subject("service['/A'] = 6")
    assert client.heard() == [("/A", "PropertiesChanged", {"Value": 6, "Text": "6"})]


def test_equal_values_are_not_signalled(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 5", "'/B', None")
    subject("service['/A'] = 5; service['/A'] = 5.0; service['/B'] = None")
    subject("with service as s: s['/A'] = 5; s['/B'] = None")
    assert client.heard() == []
    assert type(client.get("/A")) is dbus.Int32  # equal, so not even stored


def test_one_signal_for_a_with_block(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 1", "'/B', 1", "'/C/D', 1", "'/E', 1")
    subject("""
        with service as s:
            s['/A'] = 2
            s['/B'] = 3
            s['/B'] = None
            s['/C/D'] = 'word'
            s['/E'] = 1
            heard.append(s['/A'])
            heard.append('/A' in s and '/X' not in s)
    """)
    changes = {
        "/A": {"Value": 2, "Text": "2"},
        "/B": {"Value": [], "Text": "---"},
        "/C/D": {"Value": "word", "Text": "word"},
    }
    assert client.heard() == [("/", "ItemsChanged", changes)]
    assert subject("heard") == [2, True]


def test_what_was_set_before_an_exception_is_told(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 1")
    with pytest.raises(SubjectError, match="KeyError"):
        subject("with service as s: s['/A'] = 2; s['/Unknown'] = 3")
    assert client.heard() == [("/", "ItemsChanged", {"/A": {"Value": 2, "Text": "2"}})]


def test_nested_blocks_tell_each_their_own(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 1", "'/B', 1")
    subject("""
        with service as outer:
            outer['/A'] = 2
            with service as inner:
                inner['/B'] = 2
    """)
    assert [(name, list(changes)) for _, name, changes in client.heard()] == [
        ("ItemsChanged", ["/B"]),
        ("ItemsChanged", ["/A"]),
    ]


def test_paths_added_late(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 1")
    subject("service.add_path('/B', 1) and None")
    assert client.heard() == []
    subject("with service as s: s.add_path('/C', 1)")
    assert client.heard() == [("/", "ItemsChanged", {"/C": {"Value": 1, "Text": "1"}})]
    assert client.get("/") == {"A": 1, "B": 1, "C": 1}


def test_reading_and_asking_from_inside(subject: Subject) -> None:
    offer(subject, "'/A', 1", "'/B', None")
    assert subject("[service['/A'], service['/B'], '/A' in service, '/C' in service]") == [
        1,
        None,
        True,
        False,
    ]
    for unknown in ("service['/C']", "service['/C'] = 1"):
        with pytest.raises(SubjectError, match="KeyError"):
            subject(unknown)


def test_a_path_can_be_added_once(subject: Subject) -> None:
    offer(subject, "'/A', 1")
    with pytest.raises(SubjectError, match="KeyError"):
        subject("service.add_path('/A', 2)")


# Coming and going


def test_the_name_comes_with_register(subject: Subject, client: BusClient) -> None:
    subject("service.add_path('/A', 1) and None")
    assert not client.is_there()
    subject("service.register()")
    assert client.is_there()
    assert client.get("/A") == 1


def test_without_a_word_on_it_the_name_is_taken_at_once(
    subject: Subject, client: BusClient
) -> None:
    subject(f"early = VeDbusService('{NAME}', own_connection())")
    assert client.is_there()


def test_a_name_that_is_taken_is_an_error(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 1")
    subject(f"second = VeDbusService('{NAME}', own_connection(), register=False)")
    with pytest.raises(SubjectError, match="NameExistsException"):
        subject("second.register()")
    assert client.get("/A") == 1


def test_a_deleted_path_is_gone_and_so_are_empty_nodes(
    subject: Subject, client: BusClient
) -> None:
    offer(subject, "'/Dc/0/Voltage', 53.1", "'/Dc/1/Voltage', 12.1", "'/Soc', 61")
    subject("del service['/Dc/0/Voltage']")
    assert subject("'/Dc/0/Voltage' in service") is False
    assert client.heard() == []  # deleted is not invalidated
    for path in ("/Dc/0/Voltage", "/Dc/0"):
        with pytest.raises(dbus.DBusException, match=r"UnknownMethod|UnknownObject"):
            client.get(path)
    assert client.get("/Dc") == {"1/Voltage": 12.1}
    assert list(client.call("/", "GetItems")) == ["/Dc/1/Voltage", "/Soc"]
    subject("service.add_path('/Dc/0/Voltage', 1) and None")
    assert client.get("/Dc/0") == {"Voltage": 1}


def test_a_path_deleted_in_a_block_is_not_told(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 1", "'/B', 1")
    subject("""
        with service as s:
            s['/A'] = 2
            s['/B'] = 2
            del s['/A']
    """)
    assert client.heard() == [("/", "ItemsChanged", {"/B": {"Value": 2, "Text": "2"}})]


def test_leaving_and_coming_back_on_the_same_connection(
    subject: Subject, client: BusClient
) -> None:
    offer(subject, "'/A/B', 1")
    subject("service.__del__()")
    assert not client.is_there()
    subject("service.__del__()")
    subject(NEW)
    offer(subject, "'/A/B', 2")
    assert client.get("/A/B") == 2


def test_a_dead_process_leaves_the_bus(subject: Subject, client: BusClient) -> None:
    offer(subject, "'/A', 1")
    subject.end()
    wait_for(lambda: not client.is_there(), "the name is free")
