"""OTA upgrade 0x0019: the hub serves the images (reference zigbee-han 9)."""

from __future__ import annotations

from firmware_emu.zse.declare import Cluster, ClusterCommand, attributes, commands, fields

_IMAGE = ("manufacturer uint16", "image_type uint16", "file_version uint32")

# Data of a block response follow the data size, to the end of the payload (declare.TRAILING). A WAIT_FOR_DATA answer carries times
# in place of the image: decode it with WAIT_FOR_DATA below.
WAIT_FOR_DATA = ClusterCommand(
    0x05,
    "ImageBlockResponseWait",
    fields("status enum8", "current_time utc", "request_time utc", "block_request_delay uint16 ?"),
)

OTA = Cluster(
    0x0019,
    "Ota",
    secured=True,
    client_attributes=attributes(
        "0x0000 upgrade_server_id eui64",
        "0x0001 file_offset uint32",
        "0x0002 current_file_version uint32",
        "0x0003 current_stack_version uint16",
        "0x0004 downloaded_file_version uint32",
        "0x0005 downloaded_stack_version uint16",
        "0x0006 image_upgrade_status enum8",
        "0x0007 manufacturer_id uint16",
        "0x0008 image_type_id uint16",
        "0x0009 minimum_block_period uint16",
        "0x000A image_stamp uint32",
    ),
    to_server=commands(
        ClusterCommand(
            0x01,
            "QueryNextImageRequest",
            fields("field_control bitmap8", *_IMAGE, "hardware_version uint16 ?"),
            answered_by=(0x02,),
        ),
        ClusterCommand(
            0x03,
            "ImageBlockRequest",
            fields(
                "field_control bitmap8",
                *_IMAGE,
                "file_offset uint32",
                "maximum_data_size uint8",
                "request_node eui64 ?",
                "block_request_delay uint16 ?",
            ),
            answered_by=(0x05,),
        ),
        ClusterCommand(
            0x04,
            "ImagePageRequest",
            fields(
                "field_control bitmap8",
                *_IMAGE,
                "file_offset uint32",
                "maximum_data_size uint8",
                "page_size uint16",
                "response_spacing uint16",
                "request_node eui64 ?",
            ),
            answered_by=(0x05,),
        ),
        ClusterCommand(0x06, "UpgradeEndRequest", fields("status enum8", *_IMAGE), answered_by=(0x07,)),
        ClusterCommand(
            0x08,
            "QuerySpecificFileRequest",
            fields("request_node eui64", *_IMAGE, "stack_version uint16"),
            answered_by=(0x09,),
        ),
    ),
    to_client=commands(
        ClusterCommand(
            0x00,
            "ImageNotify",
            fields("payload_type enum8", "query_jitter uint8", "manufacturer uint16 ?", "image_type uint16 ?", "file_version uint32 ?"),
        ),
        ClusterCommand(
            0x02,
            "QueryNextImageResponse",
            fields("status enum8", "manufacturer uint16 ?", "image_type uint16 ?", "file_version uint32 ?", "image_size uint32 ?"),
        ),
        ClusterCommand(
            0x05,
            "ImageBlockResponse",
            fields(
                "status enum8",
                "manufacturer uint16 ?",
                "image_type uint16 ?",
                "file_version uint32 ?",
                "file_offset uint32 ?",
                "data octets ?",
            ),
        ),
        ClusterCommand(0x07, "UpgradeEndResponse", fields(*_IMAGE, "current_time utc", "upgrade_time utc")),
        ClusterCommand(
            0x09,
            "QuerySpecificFileResponse",
            fields("status enum8", "manufacturer uint16 ?", "image_type uint16 ?", "file_version uint32 ?", "image_size uint32 ?"),
        ),
    ),
)
