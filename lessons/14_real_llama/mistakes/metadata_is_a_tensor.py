"""Every key is a tensor."""


def read_header(data):
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length])
    return {name: (entry["dtype"], tuple(entry["shape"]), *(8 + length + at for at in entry["data_offsets"])) for name, entry in header.items()}
