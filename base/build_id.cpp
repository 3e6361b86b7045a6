#include "base/build_id.h"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstring>

namespace weft {

namespace {

struct Search {
    uintptr_t address;
    std::span<const uint8_t> id;
};

constexpr size_t padded(size_t size) { return (size + 3) & ~size_t{3}; }

// Notes: generic ABI, "Note Section"; names and descriptors are padded to four bytes.
std::span<const uint8_t> id_among(std::span<const uint8_t> notes) {
    while (notes.size() >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) head{};
        std::memcpy(&head, notes.data(), sizeof(head));
        notes = notes.subspan(sizeof(head));
        const size_t name = padded(head.n_namesz);
        if (name > notes.size() || padded(head.n_descsz) > notes.size() - name) {
            break;
        }
        constexpr char kGnu[] = "GNU";
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == sizeof(kGnu) &&
            std::memcmp(notes.data(), kGnu, sizeof(kGnu)) == 0) {
            return notes.subspan(name, head.n_descsz);
        }
        notes = notes.subspan(name + padded(head.n_descsz));
    }
    return {};
}

int look_at(dl_phdr_info* object, size_t, void* opaque) {
    Search& search = *static_cast<Search*>(opaque);
    const std::span headers(object->dlpi_phdr, object->dlpi_phnum);
    const bool here = std::ranges::any_of(headers, [&](const ElfW(Phdr) & header) {
        return header.p_type == PT_LOAD &&
               search.address - (object->dlpi_addr + header.p_vaddr) < header.p_memsz;
    });
    if (!here) {
        return 0;
    }
    for (const ElfW(Phdr) & header : headers) {
        if (header.p_type == PT_NOTE && search.id.empty()) {
            search.id = id_among(
                {reinterpret_cast<const uint8_t*>(object->dlpi_addr + header.p_vaddr), header.p_memsz});
        }
    }
    return 1;
}

}  // namespace

std::span<const uint8_t> build_id_of(const void* address) {
    Search search{reinterpret_cast<uintptr_t>(address), {}};
    ::dl_iterate_phdr(&look_at, &search);
    return search.id;
}

}  // namespace weft
