"""Offsets from the end of the header, the header from byte 0."""


def read_header(data):
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    return {name: (entry["dtype"], tuple(entry["shape"]), length + entry["data_offsets"][0], length + entry["data_offsets"][1])
            for name, entry in header.items() if name != "__metadata__"}
