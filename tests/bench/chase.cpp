// Pointer chasing: a random cycle through nodes of 64 bytes. SIZE: nodes; each is visited four times a repeat.

#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

#include "bench.h"

namespace {

struct alignas(64) Node {
    Node* next = nullptr;
    std::uint64_t value = 0;
};

class Chase final : public bench::Work {
  public:
    explicit Chase(long size) : nodes_(static_cast<std::size_t>(size)) {
        // Sattolo's algorithm: a permutation of one cycle.
        bench::Random random(6);
        std::vector<std::size_t> order(nodes_.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        for (std::size_t i = order.size() - 1; i > 0; i--)
            std::swap(order[i], order[random.below(i)]);
        for (std::size_t i = 0; i < nodes_.size(); i++) {
            nodes_[i].next = &nodes_[order[i]];
            nodes_[i].value = random.next();
        }
    }

    std::uint64_t run() override {
        bench::Checksum check;
        const Node* node = &nodes_[0];
        for (std::size_t i = 0; i < nodes_.size() * 4; i++) {
            check.add(node->value);
            node = node->next;
        }
        return check.value();
    }

  private:
    std::vector<Node> nodes_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Chase>(size); }
