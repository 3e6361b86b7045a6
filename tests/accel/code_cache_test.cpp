// The code cache by itself.
#include <catch2/catch.hpp>

#include "accel/tcg/code_cache.h"
#include "tests/accel/toy_guest.h"

using namespace weft;
using namespace weft::accel;

TEST_CASE("a flush that was done already is not done again", "[flush]") {
    HostServices host{};
    host.warn = [](void*, const char*) {};
    host.log_enabled = [](void*, unsigned) { return false; };
    const VcpuList vcpus(4);
    Settings settings;
    settings.tb_size_mib = 1;
    auto made = CodeCache::create({&toy::guest_arch(), &host, &vcpus, settings, 4});
    REQUIRE(made);
    CodeCache& cache = **made;
    EpochDomain::Participant participant(cache.epochs());
    participant.go_online();
    const uint64_t seen = cache.flush_count();
    // Four found it full at the same time.
    for (int i = 0; i < 4; ++i) {
        cache.flush(seen);
    }
    REQUIRE(cache.flush_count() == seen + 1);
    cache.flush(cache.flush_count());
    REQUIRE(cache.flush_count() == seen + 2);
}
