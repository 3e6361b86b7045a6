#include "base/thread.h"

#include <pthread.h>

#include <array>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/failing_host_calls.h"

using namespace weft;

TEST_CASE("a thread has its name, runs its body, and is waited for") {
    std::array<char, 64> name{};
    bool ran = false;  // ordered by the join
    {
        auto thread = Thread::start("CPU 0/TCG", [&] {
            ::pthread_getname_np(::pthread_self(), name.data(), name.size());
            ran = true;
        });
        REQUIRE(thread);
        REQUIRE(thread->joinable());
    }
    REQUIRE(ran);
    REQUIRE(std::string(name.data()) == "CPU 0/TCG");
}

TEST_CASE("long names are cut, plain functions take a context") {
    std::array<char, 64> name{};
    auto thread = Thread::start(
        "optimizing worker 12",
        [](void* context) {
            auto& text = *static_cast<std::array<char, 64>*>(context);
            ::pthread_getname_np(::pthread_self(), text.data(), text.size());
        },
        &name);
    REQUIRE(thread);
    thread->join();
    REQUIRE_FALSE(thread->joinable());
    REQUIRE(std::string(name.data()) == "optimizing work");
}

TEST_CASE("threads move, and assignment waits for the one replaced") {
    int first = 0;
    int second = 0;
    auto a = Thread::start("first", [&] { first = 1; });
    auto b = Thread::start("second", [&] { second = 1; });
    REQUIRE(a);
    REQUIRE(b);
    Thread owner = std::move(*a);
    REQUIRE_FALSE(a->joinable());
    owner = std::move(*b);
    REQUIRE(first == 1);
    owner.join();
    REQUIRE(second == 1);
    std::vector<Thread> several;
    several.push_back(std::move(owner));
}

TEST_CASE("the stack is as large as asked for") {
    for (const std::size_t wanted : {std::size_t{1}, std::size_t{300001}, std::size_t{8} << 20}) {
        std::size_t size = 0;
        Thread::Options options;
        options.stack_size = wanted;
        auto thread = Thread::start(
            "stack",
            [&] {
                pthread_attr_t attributes;
                if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
                    ::pthread_attr_getstacksize(&attributes, &size);
                    ::pthread_attr_destroy(&attributes);
                }
            },
            options);
        REQUIRE(thread);
        thread->join();
        REQUIRE(size >= wanted);
    }
}

TEST_CASE("a thread that cannot be created is an error, and its callable is destroyed") {
    test::FailingHostCalls calls(0, EAGAIN);
    auto alive = std::make_shared<int>(0);
    Thread::Options options;
    options.calls = &calls;
    auto thread = Thread::start("CPU 3/TCG", [alive] { ++*alive; }, options);
    REQUIRE_FALSE(thread);
    REQUIRE(thread.error().message() ==
            "cannot start the thread CPU 3/TCG: Resource temporarily unavailable");
    REQUIRE(alive.use_count() == 1);
    REQUIRE(*alive == 0);
    auto second = Thread::start("CPU 3/TCG", [alive] { ++*alive; }, options);
    REQUIRE(second);
    second->join();
    REQUIRE(*alive == 1);
    REQUIRE(alive.use_count() == 1);
}
