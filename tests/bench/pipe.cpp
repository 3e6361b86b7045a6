// System calls that carry data: 512 bytes into a pipe and out of it. SIZE: such pairs.

#include <unistd.h>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "bench.h"

namespace {

class Pipe final : public bench::Work {
  public:
    explicit Pipe(long size) : size_(size) {
        if (pipe(ends_.data()) != 0) {
            std::perror("pipe");
            std::exit(1);
        }
    }

    ~Pipe() override {
        for (int end : ends_)
            close(end);
    }

    std::uint64_t run() override {
        bench::Checksum check;
        std::array<std::uint64_t, 64> out{};
        std::array<std::uint64_t, 64> in{};
        for (long i = 0; i < size_; i++) {
            out[static_cast<std::size_t>(i) % out.size()] += static_cast<std::uint64_t>(i);
            if (write(ends_[1], out.data(), sizeof(out)) != sizeof(out) ||
                read(ends_[0], in.data(), sizeof(in)) != sizeof(in)) {
                std::perror("pipe");
                std::exit(1);
            }
            check.add(in[static_cast<std::size_t>(i) % in.size()]);
        }
        return check.value();
    }

  private:
    long size_;
    std::array<int, 2> ends_{};
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Pipe>(size); }
