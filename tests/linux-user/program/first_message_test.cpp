// The first of several fatal messages.
#include "emulator/linux-user/first_message.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

using weft::user::FirstMessage;

TEST_CASE("one message is said, and who has another waits until it is") {
    FirstMessage message;
    std::atomic<bool> begun{false};
    std::atomic<bool> came_back{false};
    std::atomic<bool> twice{false};
    bool early = true;
    std::thread second;
    message.say([&] {
        second = std::thread([&] {
            begun.store(true);
            message.say([&] { twice.store(true); });
            came_back.store(true);
        });
        while (!begun.load()) {
            std::this_thread::yield();
        }
        // Time enough for who does not wait.
        for (unsigned i = 0; i < 10000; ++i) {
            std::this_thread::yield();
        }
        early = came_back.load();
    });
    second.join();
    CHECK(came_back.load());
    CHECK_FALSE(early);
    message.say([&] { twice.store(true); });
    CHECK_FALSE(twice.load());
}

TEST_CASE("a child says its own message, whatever its parent was about") {
    FirstMessage message;
    int status = 0;
    const auto child_says = [&] {
        const pid_t child = ::fork();
        if (child == 0) {
            bool said = false;
            message.say([&] { said = true; });
            ::_exit(said ? 7 : 1);
        }
        REQUIRE(::waitpid(child, &status, 0) == child);
        return WEXITSTATUS(status);
    };
    message.say([&] { CHECK(child_says() == 7); });
    CHECK(child_says() == 7);
}
