// The clusters of an image that hold tables: nothing else may be written there, however damaged the image is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace weft::backend::qcow2 {

// Not thread-safe.
class ClusterSet {
  public:
    // Adds clusters whose order does not matter; sort() comes before anything else is asked.
    void collect(uint64_t cluster) { clusters_.push_back(cluster); }
    // False: one was collected twice.
    bool sort() {
        std::ranges::sort(clusters_);
        return std::ranges::adjacent_find(clusters_) == clusters_.end();
    }

    bool contains(uint64_t cluster) const { return std::ranges::binary_search(clusters_, cluster); }
    // Whether any of the `count` clusters from `first` on is in it.
    bool meets(uint64_t first, uint64_t count) const {
        const auto found = std::ranges::lower_bound(clusters_, first);
        return found != clusters_.end() && *found - first < count;
    }
    // New tables mostly lie at the end of the image, so little is moved.
    void add(uint64_t cluster) {
        const auto place = std::ranges::lower_bound(clusters_, cluster);
        if (place == clusters_.end() || *place != cluster) {
            clusters_.insert(place, cluster);
        }
    }
    void remove(uint64_t cluster) {
        const auto place = std::ranges::lower_bound(clusters_, cluster);
        if (place != clusters_.end() && *place == cluster) {
            clusters_.erase(place);
        }
    }

  private:
    std::vector<uint64_t> clusters_;
};

}  // namespace weft::backend::qcow2
