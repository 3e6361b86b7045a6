// CRC-32 (IEEE 802.3), a table of 256 words, a byte at a time. SIZE: KiB.

#include <array>
#include <cstddef>
#include <vector>

#include "bench.h"

namespace {

class Crc final : public bench::Work {
  public:
    explicit Crc(long size) : data_(static_cast<std::size_t>(size) * 1024) {
        bench::Random random(4);
        for (std::uint8_t& byte : data_)
            byte = static_cast<std::uint8_t>(random.next());
        for (std::uint32_t i = 0; i < table_.size(); i++) {
            std::uint32_t value = i;
            for (int bit = 0; bit < 8; bit++)
                value = (value & 1) != 0 ? 0xedb88320 ^ (value >> 1) : value >> 1;
            table_[i] = value;
        }
    }

    std::uint64_t run() override {
        std::uint32_t crc = ~std::uint32_t{0};
        for (std::uint8_t byte : data_)
            crc = table_[(crc ^ byte) & 0xff] ^ (crc >> 8);
        return ~crc;
    }

  private:
    std::vector<std::uint8_t> data_;
    std::array<std::uint32_t, 256> table_{};
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Crc>(size); }
