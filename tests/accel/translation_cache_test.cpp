// The code cache by itself.
#include <sys/mman.h>

#include <catch2/catch.hpp>

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "accel/tcg/blocks/translation_cache.h"
#include "accel/tcg/vcpu/runtime_hooks.h"
#include "tests/accel/toy_guest.h"

using namespace weft;
using namespace weft::accel;

TEST_CASE("a flush that was done already is not done again", "[flush]") {
    HostServices host{};
    host.warn = [](void*, const char*) {};
    host.log_enabled = [](void*, unsigned) { return false; };
    const CodeUsers vcpus(4);
    Settings settings;
    settings.tb_size_mib = 1;
    auto made = TranslationCache::create(
        {&toy::guest_arch(), &host, &vcpus, nullptr, settings, 4, runtime_hooks(true), nullptr});
    REQUIRE(made);
    TranslationCache& cache = **made;
    EpochDomain::Reader reader(cache.epochs());
    reader.go_online();
    const uint64_t seen = cache.flush_count();
    // Four found it full at the same time.
    for (int i = 0; i < 4; ++i) {
        cache.flush(seen);
    }
    REQUIRE(cache.flush_count() == seen + 1);
    cache.flush(cache.flush_count());
    REQUIRE(cache.flush_count() == seen + 2);
}

namespace {

// What a cache says while it is made.
struct Said {
    std::vector<std::string> warnings;
    std::string log;
    bool logs = true;
    HostServices host{};

    Said() {
        host.opaque = this;
        host.warn = [](void* self, const char* text) {
            static_cast<Said*>(self)->warnings.emplace_back(text);
        };
        host.log_enabled = [](void* self, unsigned) { return static_cast<Said*>(self)->logs; };
        host.log = [](void* self, const char* text, size_t size) {
            static_cast<Said*>(self)->log.append(text, size);
        };
    }
    Result<std::unique_ptr<TranslationCache>> make(const Settings& settings, unsigned contexts,
                                                   const HostCalls& calls = HostCalls::real()) {
        return TranslationCache::create({&toy::guest_arch(), &host, &vcpus, nullptr, settings, contexts,
                                         runtime_hooks(true), nullptr, &calls});
    }
    const CodeUsers vcpus{64};
};

class NoMemfd : public HostCalls {
  public:
    int create_memfd(const char*, unsigned) const override {
        errno = ENOSYS;
        return -1;
    }
};

}  // namespace

TEST_CASE("a tb-size that is changed is said once, in a warning; others are not mentioned", "[flush]") {
    struct Row {
        uint64_t mib;
        unsigned contexts;
        size_t size;  // 0: chosen
        const char* warning;
    };
    const Row rows[] = {
        {0, 4, 0, nullptr},
        {1, 16, size_t{1} << 20, nullptr},
        {4, 4, size_t{4} << 20, nullptr},
        {2048, 4, size_t{2} << 30, nullptr},
        {2049, 4, size_t{2} << 30,
         "tb-size=2049 is more than the host's direct branches reach: using 2048 MiB"},
        {UINT32_MAX, 4, size_t{2} << 30,
         "tb-size=4294967295 is more than the host's direct branches reach: using 2048 MiB"},
        {1, 64, size_t{4} << 20, "tb-size=1 is too small for 64 translation contexts: using 4096 KiB"},
    };
    for (const Row& row : rows) {
        for (const tcg::EvictMode evict : {tcg::EvictMode::flush, tcg::EvictMode::region}) {
            INFO(row.mib << " MiB, " << row.contexts << " contexts");
            Said said;
            Settings settings;
            settings.tb_size_mib = row.mib;
            settings.evict = evict;
            const auto made = said.make(settings, row.contexts);
            REQUIRE(made);
            CHECK((row.size == 0 || (*made)->buffer().size() == row.size));
            CHECK(said.warnings.size() == (row.warning != nullptr ? 1 : 0));
            if (row.warning != nullptr && !said.warnings.empty()) {
                CHECK(said.warnings[0] == row.warning);
            }
        }
    }
}

namespace {

class CountExecute : public HostCalls {
  public:
    mutable std::atomic<int> asked{0};

    void* map(void* address, size_t size, int prot, int flags, int fd, off_t offset) const override {
        asked += (prot & PROT_EXEC) != 0 ? 1 : 0;
        return HostCalls::map(address, size, prot, flags, fd, offset);
    }
    int protect(void* address, size_t size, int prot) const override {
        asked += (prot & PROT_EXEC) != 0 ? 1 : 0;
        return HostCalls::protect(address, size, prot);
    }
};

}  // namespace

TEST_CASE("the interpreter's cache asks for no execute permission, whatever split-wx is", "[flush]") {
    Settings settings;
    settings.tb_size_mib = 1;
    for (const tcg::SplitWx split : {tcg::SplitWx::off, tcg::SplitWx::on, tcg::SplitWx::automatic}) {
        settings.split_wx = split;
        const CountExecute calls;
        Said said;
        settings.backend = BackendKind::interp;
        CHECK(said.make(settings, 2, calls));
        CHECK(calls.asked == 0);
        CHECK(said.log.empty());
#if WEFT_HAVE_X86_64_BACKEND
        settings.backend = BackendKind::native;
        CHECK(said.make(settings, 2, calls));
        CHECK(calls.asked > 0);
#endif
    }
}

#if WEFT_HAVE_X86_64_BACKEND
TEST_CASE("split-wx where it is impossible: on is an error, unspecified carries on and says so under -d",
          "[flush]") {
    const NoMemfd calls;
    Settings settings;
    settings.tb_size_mib = 1;
    settings.backend = BackendKind::native;
    Said said;
    settings.split_wx = tcg::SplitWx::on;
    const auto refused = said.make(settings, 1, calls);
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message(), Catch::Contains("writable and executable view apart"));
    settings.split_wx = tcg::SplitWx::automatic;
    CHECK(said.make(settings, 1, calls));
    CHECK_THAT(said.log, Catch::Contains("writable and executable at once"));
    CHECK(said.warnings.empty());
    Said silent;
    silent.logs = false;
    CHECK(silent.make(settings, 1, calls));
    CHECK(silent.log.empty());
    CHECK(silent.warnings.empty());
}
#endif
