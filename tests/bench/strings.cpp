// String functions of the C library on strings of 0 to 255 characters. SIZE: strings.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <vector>

#include "bench.h"

namespace {

class Strings final : public bench::Work {
  public:
    explicit Strings(long size) : texts_(static_cast<std::size_t>(size)) {
        bench::Random random(5);
        for (auto& text : texts_) {
            const std::size_t length = random.below(text.size());
            for (std::size_t i = 0; i < length; i++)
                text[i] = static_cast<char>('a' + random.below(16));
        }
    }

    std::uint64_t run() override {
        bench::Checksum check;
        std::array<char, 512> buffer;
        const char* before = "";
        for (const auto& text : texts_) {
            const std::size_t length = std::strlen(text.data());
            check.add(std::uint64_t{length});
            std::strcpy(buffer.data(), text.data());
            std::strcat(buffer.data(), before);
            check.add(std::uint64_t{std::strlen(buffer.data())});
            check.add(std::uint64_t{std::strcmp(buffer.data(), text.data()) > 0});
            check.add(place(buffer.data(), std::strchr(buffer.data(), 'p')));
            check.add(place(buffer.data(), std::strrchr(buffer.data(), 'a')));
            check.add(place(buffer.data(), std::strstr(buffer.data(), "abc")));
            std::memmove(buffer.data() + 1, buffer.data(), length);
            check.add(place(buffer.data(), static_cast<char*>(std::memchr(buffer.data(), 'k', length + 1))));
            std::memset(buffer.data() + length / 2, 'z', 200);
            check.add(std::uint64_t{std::memcmp(buffer.data(), text.data(), length) > 0});
            before = text.data();
        }
        return check.value();
    }

  private:
    static std::uint64_t place(const char* from, const char* found) {
        return found == nullptr ? ~std::uint64_t{0} : static_cast<std::uint64_t>(found - from);
    }

    std::vector<std::array<char, 256>> texts_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Strings>(size); }
