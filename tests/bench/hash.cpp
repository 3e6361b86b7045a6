// The library's hash table: inserting, finding, erasing. SIZE: keys.

#include <cstddef>
#include <unordered_map>
#include <vector>

#include "bench.h"

namespace {

class Hash final : public bench::Work {
  public:
    explicit Hash(long size) : keys_(static_cast<std::size_t>(size)) {
        bench::Random random(2);
        for (std::uint64_t& key : keys_)
            key = random.next();
    }

    std::uint64_t run() override {
        std::unordered_map<std::uint64_t, std::uint64_t> table;
        for (std::size_t i = 0; i < keys_.size(); i++)
            table.emplace(keys_[i], i);
        bench::Checksum check;
        // Half of what is looked for is there.
        for (std::size_t i = 0; i < keys_.size(); i++) {
            const auto found = table.find(keys_[keys_.size() - 1 - i] ^ (i & 1));
            check.add(found == table.end() ? ~std::uint64_t{0} : found->second);
        }
        for (std::size_t i = 0; i < keys_.size(); i += 2)
            check.add(static_cast<std::uint64_t>(table.erase(keys_[i])));
        check.add(static_cast<std::uint64_t>(table.size()));
        return check.value();
    }

  private:
    std::vector<std::uint64_t> keys_;
};

}  // namespace

std::unique_ptr<bench::Work> bench::make(long size) { return std::make_unique<Hash>(size); }
