#include "emulator/backend/block/image_format.h"

#include <algorithm>
#include <string_view>

namespace weft::backend {

namespace {

struct Signature {
    const char* format;
    enum class Place { start, end } place;
    size_t offset;  // from the start; of a footer, from the end back to its first byte
    std::string_view bytes;
};

constexpr auto kStart = Signature::Place::start;
constexpr auto kEnd = Signature::Place::end;

// Each format's name and the signature that its own specification gives.
constexpr Signature kSignatures[] = {
    {"qcow2", kStart, 0, {"QFI\xfb", 4}},                               // and its predecessor qcow
    {"QED", kStart, 0, {"QED\0", 4}},                                   //
    {"VMDK", kStart, 0, "KDMV"},                                        // sparse extent, VMware 4 and later
    {"VMDK", kStart, 0, "COWD"},                                        // sparse extent, VMware ESX
    {"VMDK", kStart, 0, "# Disk DescriptorFile"},                       // text that names the extents
    {"VDI", kStart, 0x40, {"\x7f\x10\xda\xbe", 4}},                     // after text that may be any
    {"VHDX", kStart, 0, "vhdxfile"},                                    // [MS-VHDX] 2.2.1
    {"VHD", kStart, 0, "conectix"},                                     // dynamic: a copy of the footer
    {"VHD", kEnd, 512, "conectix"},                                     // fixed: the footer alone
    {"VHD", kEnd, 511, "conectix"},                                     // as written before Virtual PC 2004
    {"Parallels", kStart, 0, "WithoutFreeSpace"},                       //
    {"Parallels", kStart, 0, "WithouFreSpacExt"},                       // with 64-bit offsets
    {"Bochs", kStart, 0, "Bochs Virtual HD Image"},                     //
    {"Apple disk image", kEnd, 512, {"koly\0\0\0\x04\0\0\x02\0", 12}},  // version 4, a trailer of 512 bytes
};

bool has(const Signature& signature, std::span<const uint8_t> head, std::span<const uint8_t> tail) {
    const std::span<const uint8_t> bytes = signature.place == kStart ? head : tail;
    const size_t needed =
        signature.place == kStart ? signature.offset + signature.bytes.size() : signature.offset;
    if (bytes.size() < needed) {
        return false;
    }
    const size_t begin = signature.place == kStart ? signature.offset : bytes.size() - signature.offset;
    return std::ranges::equal(bytes.subspan(begin, signature.bytes.size()), signature.bytes, {}, {},
                              [](char c) { return static_cast<uint8_t>(c); });
}

}  // namespace

const char* signed_format(std::span<const uint8_t> head, std::span<const uint8_t> tail) {
    for (const Signature& signature : kSignatures) {
        if (has(signature, head, tail)) {
            return signature.format;
        }
    }
    return nullptr;
}

}  // namespace weft::backend
