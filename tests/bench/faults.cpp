// As many threads as there are processors map, touch and unmap pages of the address space that they share: page faults, and
// a flush of the other processors' translations at each unmapping. SIZE: mappings of 16 pages, of all threads together.

#include <sys/mman.h>
#include <cstdio>
#include <cstdlib>

#include "crowd.h"

namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 16;

class Faults final : public bench::Work {
  public:
    explicit Faults(long size) : size_(size) {}

    std::uint64_t run() override {
        return bench::crowd(size_, [](long) {
            void* const mapped =
                mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            if (mapped == MAP_FAILED) {
                std::perror("mmap");
                std::exit(1);
            }
            volatile auto* const bytes = static_cast<unsigned char*>(mapped);
            std::uint64_t touched = 0;
            for (std::size_t page = 0; page < kPages; page++) {
                bytes[page * kPage] = 1;
                touched += bytes[page * kPage];
            }
            munmap(mapped, kPages * kPage);
            return touched;
        });
    }

  private:
    long size_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Faults>(size); }
