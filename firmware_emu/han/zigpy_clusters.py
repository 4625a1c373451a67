"""The project's cluster declarations as zigpy ``Cluster`` classes, for people whose software is zigpy's.

zigpy has an id and nothing else for most Smart Energy clusters, and lacks Sub-GHz and profile 0x0109 altogether (reference zigbee-han 4).
:func:`register` puts the missing ones into zigpy's registry, so that its devices decode them; what zigpy defines itself stays zigpy's.

zigpy keeps one table of attributes a cluster: the client's own (Metering's notification flags) are in the class that
:func:`cluster_class` makes with ``server=False``, which is for ``out_clusters`` and never registered.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from types import ModuleType
from typing import Any, TypeAlias

import zigpy.profiles
import zigpy.types
from zigpy.zcl import Cluster as ZigpyCluster
from zigpy.zcl.foundation import BaseAttributeDefs, BaseCommandDefs, DataType, DataTypeId, ZCLAttributeDef, ZCLCommandDef

from firmware_emu.han.base import SMART_ENERGY
from firmware_emu.zse import clusters, declare

Schema: TypeAlias = "dict[str, Any]"
"""zigpy types by field name; zigpy makes its types by subscription, which no type checker follows."""


class SmartEnergyDevice(zigpy.types.enum16):
    """Device ids of profile 0x0109 (reference zigbee-han 2)."""

    RANGE_EXTENDER = 0x0008
    ENERGY_SERVICE_INTERFACE = 0x0500
    METERING_DEVICE = 0x0501
    IN_HOME_DISPLAY = 0x0502
    LOAD_CONTROL_DEVICE = 0x0504
    PREPAYMENT_TERMINAL = 0x0506
    PHYSICAL_DEVICE = 0x0507
    REMOTE_COMMUNICATIONS_DEVICE = 0x0508


def _profile() -> ModuleType:
    """Profile 0x0109 as zigpy has profiles: a module."""
    made = ModuleType("smart_energy")
    vars(made).update(PROFILE_ID=SMART_ENERGY, DeviceType=SmartEnergyDevice, CLUSTERS={})
    return made


def cluster_class(cluster: declare.Cluster, *, server: bool = True) -> type[ZigpyCluster]:
    """A zigpy class for ``cluster``, not in zigpy's registry: attributes of the side, commands of both directions."""
    attributes = cluster.attributes if server else cluster.client_attributes
    members: dict[str, Any] = {
        "_skip_registry": True,
        "__module__": __name__,
        "__doc__": f"{cluster.name} 0x{cluster.id:04X} as declared in firmware_emu.zse.clusters.",
        "cluster_id": cluster.id,
        "ep_attribute": f"smartenergy_{_snake(cluster.name)}",
        "aps_encryption": cluster.secured,
        "AttributeDefs": _attributes(attributes),
        "ServerCommandDefs": _commands(cluster.to_server.values()),
        "ClientCommandDefs": _commands(cluster.to_client.values()),
    }
    return type(cluster.name if server else f"{cluster.name}Client", (ZigpyCluster,), members)


def register() -> tuple[type[ZigpyCluster], ...]:
    """Put into zigpy's registry every cluster that it has without attribute and command, or not at all; returns these classes.

    Also makes profile 0x0109 known. Asking again changes nothing.
    """
    zigpy.profiles.PROFILES.setdefault(SMART_ENERGY, _profile())
    added = []
    for cluster in clusters.ALL:
        known = ZigpyCluster._registry.get(cluster.id)
        if known is None or not (list(known.AttributeDefs) or list(known.ServerCommandDefs) or list(known.ClientCommandDefs)):
            made = cluster_class(cluster)
            ZigpyCluster._registry[made.cluster_id] = made
            added.append(made)
    return tuple(added)


def _attributes(declared: tuple[declare.ClusterAttribute, ...]) -> type[BaseAttributeDefs]:
    return type(
        "AttributeDefs",
        (BaseAttributeDefs,),
        {
            one.name: ZCLAttributeDef(id=_number(one.id), type=_type(one.type.identifier), zcl_type=_type_id(one.type.identifier))
            for one in declared
        },
    )


def _commands(declared: Iterable[declare.ClusterCommand]) -> type[BaseCommandDefs]:
    members = {}
    for one in declared:
        schema: Any = _schema(one.layout or (), one.carries)  # zigpy makes a CommandSchema of it
        members[_snake(one.name)] = ZCLCommandDef(id=_number(one.id), schema=schema)
    return type("CommandDefs", (BaseCommandDefs,), members)


def _schema(layout: declare.Layout, carries: str = "") -> Schema:
    """zigpy's schema: a group counted by the field before it becomes one list with its count."""
    schema: Schema = {}
    types: Any = zigpy.types
    for item in layout:
        if isinstance(item, declare.Field):
            schema[_field_name(item.name) + ("?" if item.optional else "")] = _type(item.type.identifier)
        elif item.count is None:
            schema[item.name] = types.List[_group(item)]
        elif isinstance(item.count, int):
            schema[item.name] = types.FixedList[_group(item), item.count]
        else:
            last, count_type = schema.popitem()
            if last != item.count:
                raise ValueError(f"{item.name} is counted by {item.count}, which does not stand right before it but {last}")
            schema[item.name] = types.LVList[_group(item), count_type]
    if carries:
        schema[carries] = zigpy.types.Bytes
    return schema


def _group(item: declare.Repeat) -> Any:
    """One entry of a group: its only field's type, or a struct."""
    schema = _schema(item.fields)
    if len(schema) == 1:
        return next(iter(schema.values()))
    members = {name: zigpy.types.StructField(type=kind) for name, kind in schema.items()}
    return type(item.name.title().replace("_", ""), (zigpy.types.Struct,), {"__annotations__": dict.fromkeys(members, "None"), **members})


def _type(identifier: int) -> Any:
    return DataType.from_type_id(_type_id(identifier)).python_type


def _number(identifier: int) -> Any:
    """zigpy takes a plain number for its own integer types."""
    return identifier


def _type_id(identifier: int) -> DataTypeId:
    found: DataTypeId = DataTypeId(identifier)  # type: ignore[no-untyped-call]
    return found


def _field_name(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
