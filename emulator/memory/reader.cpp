#include "emulator/memory/reader.h"

#include "base/assert.h"
#include "base/bits.h"
#include "emulator/memory/access.h"

namespace weft::mem {

class Reader::Section {
  public:
    explicit Section(Reader& reader) : reader_(reader) { reader_.reader_.go_online(); }
    ~Section() {
        reader_.reader_.go_offline();
        reader_.reader_.domain().poll();
    }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

  private:
    Reader& reader_;
};

Reader::Reader(AddressSpace& space) : space_(space), reader_(space.topology().epochs(), this) {}

void Reader::lookup(uint64_t paddr, PageTarget* target) {
    const Section section(*this);
    const uint64_t page = align_down(paddr, kPageSize);
    const uint64_t page_last = page + (kPageSize - 1);
    *target = PageTarget{PageKind::unassigned, nullptr, 0};
    const FlatView& view = space_.view();
    const FlatRange* range = view.find(page, hint_);
    if (range == nullptr) {
        // Something may begin further up in the page.
        range = view.next(page);
        if (range != nullptr && range->first <= page_last) {
            target->kind = PageKind::device;
        }
        return;
    }
    target->kind = PageKind::device;
    const RegionKind kind = range->region->kind();
    if (kind == RegionKind::io || range->last < page_last) {
        return;
    }
    const uint64_t ram_offset = range->ram_offset_of(page);
    if (is_aligned(ram_offset, kPageSize)) {
        *target = PageTarget{kind == RegionKind::ram ? PageKind::ram : PageKind::rom, range->host_of(page),
                             ram_offset};
    }
}

DeviceStatus Reader::device_read(uint64_t paddr, unsigned size, uint64_t* value) {
    const Section section(*this);
    return access_read(space_.view(), paddr, size, value);
}

DeviceStatus Reader::device_write(uint64_t paddr, unsigned size, uint64_t value) {
    const Section section(*this);
    return access_write(space_.view(), paddr, size, value);
}

DeviceStatus Reader::access_read(const FlatView& view, uint64_t paddr, unsigned size, uint64_t* value) {
    *value = 0;
    const FlatRange* range = view.find(paddr, hint_);
    if (range == nullptr) {
        return DeviceStatus::unassigned;
    }
    if (range->last - paddr < size - 1) {
        // The access leaves the range: each half goes where it belongs. Halves of one byte cannot leave it.
        const unsigned half = size / 2;
        uint64_t low = 0;
        uint64_t high = 0;
        if (const auto status = access_read(view, paddr, half, &low); status != DeviceStatus::ok) {
            return status;
        }
        const DeviceStatus status = access_read(view, paddr + half, half, &high);
        *value = low | high << 8 * half;
        return status;
    }
    if (range->region->kind() == RegionKind::io) {
        return region_read(*range->region, range->offset_of(paddr), size, value);
    }
    const uint8_t* const host = range->host_of(paddr);
    *value = guest_ram::load_sized(host, size);
    return DeviceStatus::ok;
}

DeviceStatus Reader::access_write(const FlatView& view, uint64_t paddr, unsigned size, uint64_t value) {
    const FlatRange* range = view.find(paddr, hint_);
    if (range == nullptr) {
        return DeviceStatus::unassigned;
    }
    if (range->last - paddr < size - 1) {
        const unsigned half = size / 2;
        if (const auto status = access_write(view, paddr, half, value); status != DeviceStatus::ok) {
            return status;
        }
        return access_write(view, paddr + half, half, value >> 8 * half);
    }
    switch (range->region->kind()) {
        case RegionKind::io:
            return region_write(*range->region, range->offset_of(paddr), size, value);
        case RegionKind::rom:
            return range->region->takes_stores()
                       ? region_write(*range->region, range->offset_of(paddr), size, value)
                       : DeviceStatus::ok;
        default:
            break;
    }
    // RAM of a page that is no whole one here; elsewhere it may be, and be translated.
    uint8_t* const host = range->host_of(paddr);
    const Topology::Writing writing(space_.topology(), range->ram_offset_of(paddr), size);
    guest_ram::store_sized(host, size, value);
    return DeviceStatus::ok;
}

DeviceStatus Reader::read(uint64_t paddr, std::span<uint8_t> data) {
    const Section section(*this);
    const FlatView& view = space_.view();
    while (!data.empty()) {
        const FlatRange* const range = view.find(paddr, hint_);
        if (range == nullptr) {
            return DeviceStatus::unassigned;
        }
        if (range->region->kind() == RegionKind::io) {
            return DeviceStatus::bus_error;
        }
        const uint64_t behind = range->last - paddr;  // bytes of the range after this one
        const size_t part = behind < data.size() - 1 ? static_cast<size_t>(behind) + 1 : data.size();
        guest_ram::read(data.data(), range->host_of(paddr), part);
        data = data.subspan(part);
        if (!data.empty() && range->last == UINT64_MAX) {
            return DeviceStatus::unassigned;
        }
        paddr = range->last + 1;
    }
    return DeviceStatus::ok;
}

DeviceStatus Reader::write(uint64_t paddr, std::span<const uint8_t> data) {
    return copy_in(paddr, data, Writing::guest);
}

DeviceStatus Reader::load_image(uint64_t paddr, std::span<const uint8_t> data) {
    return copy_in(paddr, data, Writing::image);
}

DeviceStatus Reader::copy_in(uint64_t paddr, std::span<const uint8_t> data, Writing writing) {
    const Section section(*this);
    const FlatView& view = space_.view();
    while (!data.empty()) {
        const FlatRange* const range = view.find(paddr, hint_);
        if (range == nullptr) {
            return DeviceStatus::unassigned;
        }
        const RegionKind kind = range->region->kind();
        if (kind == RegionKind::io) {
            return DeviceStatus::bus_error;
        }
        const uint64_t behind = range->last - paddr;
        const size_t part = behind < data.size() - 1 ? static_cast<size_t>(behind) + 1 : data.size();
        if (kind == RegionKind::ram || writing == Writing::image) {
            const Topology::Writing write(space_.topology(), range->ram_offset_of(paddr), part);
            guest_ram::write(range->host_of(paddr), data.data(), part);
        }
        data = data.subspan(part);
        if (!data.empty() && range->last == UINT64_MAX) {
            return DeviceStatus::unassigned;
        }
        paddr = range->last + 1;
    }
    return DeviceStatus::ok;
}

const FlatRange* Reader::direct(uint64_t paddr, unsigned size, bool write, DeviceStatus* status) {
    const FlatRange* const range = space_.view().find(paddr, hint_);
    if (range == nullptr) {
        *status = DeviceStatus::unassigned;
        return nullptr;
    }
    const RegionKind kind = range->region->kind();
    if (range->last - paddr < size - 1 || (write ? kind != RegionKind::ram : kind == RegionKind::io)) {
        *status = DeviceStatus::bus_error;
        return nullptr;
    }
    *status = DeviceStatus::ok;
    return range;
}

DeviceStatus Reader::discard(uint64_t paddr, uint64_t size) {
    const Section section(*this);
    const FlatRange* const range = space_.view().find(paddr, hint_);
    if (range == nullptr) {
        return DeviceStatus::unassigned;
    }
    if (range->region->kind() != RegionKind::ram || size == 0 || range->last - paddr < size - 1) {
        return DeviceStatus::bus_error;
    }
    const RamBlock& block = *range->region->ram();
    const Topology::Writing writing(space_.topology(), range->ram_offset_of(paddr), size);
    return block.discard(range->offset_of(paddr), size) ? DeviceStatus::ok : DeviceStatus::bus_error;
}

template <class T>
DeviceStatus Reader::load_by(T (*get)(const uint8_t*), uint64_t paddr, T* value) {
    const Section section(*this);
    DeviceStatus status;
    if (const FlatRange* range = direct(paddr, sizeof(T), false, &status); range != nullptr) {
        *value = get(range->host_of(paddr));
    }
    return status;
}

template <class T>
DeviceStatus Reader::store_by(void (*put)(uint8_t*, T), uint64_t paddr, T value) {
    const Section section(*this);
    DeviceStatus status;
    if (const FlatRange* range = direct(paddr, sizeof(T), true, &status); range != nullptr) {
        const Topology::Writing writing(space_.topology(), range->ram_offset_of(paddr), sizeof(T));
        put(range->host_of(paddr), value);
    }
    return status;
}

template <class T>
DeviceStatus Reader::load(uint64_t paddr, T* value) {
    return load_by<T>(&guest_ram::load<T>, paddr, value);
}

template <class T>
DeviceStatus Reader::store(uint64_t paddr, T value) {
    return store_by<T>(&guest_ram::store<T>, paddr, value);
}

template <class T>
DeviceStatus Reader::load_sync(uint64_t paddr, T* value) {
    return load_by<T>(&guest_ram::load_sync<T>, paddr, value);
}

template <class T>
DeviceStatus Reader::store_sync(uint64_t paddr, T value) {
    return store_by<T>(&guest_ram::store_sync<T>, paddr, value);
}

#define WEFT_INSTANTIATE(T)                                   \
    template DeviceStatus Reader::load<T>(uint64_t, T*);      \
    template DeviceStatus Reader::store<T>(uint64_t, T);      \
    template DeviceStatus Reader::load_sync<T>(uint64_t, T*); \
    template DeviceStatus Reader::store_sync<T>(uint64_t, T);
WEFT_INSTANTIATE(uint8_t)
WEFT_INSTANTIATE(uint16_t)
WEFT_INSTANTIATE(uint32_t)
WEFT_INSTANTIATE(uint64_t)
#undef WEFT_INSTANTIATE

const MemoryOps& memory_ops() {
    static constexpr MemoryOps kOps = {
        .abi_version = kMemoryAbiVersion,
        .reader_create = [](void* space) -> void* { return new Reader(*static_cast<AddressSpace*>(space)); },
        .reader_destroy = [](void* reader) { delete static_cast<Reader*>(reader); },
        .lookup = [](void* reader, uint64_t paddr,
                     PageTarget* target) { static_cast<Reader*>(reader)->lookup(paddr, target); },
        .device_read =
            [](void* reader, uint64_t paddr, unsigned size, uint64_t* value) {
                return static_cast<Reader*>(reader)->device_read(paddr, size, value);
            },
        .device_write =
            [](void* reader, uint64_t paddr, unsigned size, uint64_t value) {
                return static_cast<Reader*>(reader)->device_write(paddr, size, value);
            },
    };
    return kOps;
}

}  // namespace weft::mem
