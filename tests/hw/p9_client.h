// A 9P2000.L client over a virtio queue: what tests drive the shared folder's device with.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "emulator/hw/virtio/9p.h"
#include "tests/hw/virtio_driver.h"

namespace weft::hw::test {

class P9Client : public VirtioBench {
  public:
    static constexpr uint64_t kAnswer = kGuestRam + 0x200000;
    static constexpr uint32_t kSize = 1 << 20;

    // Of the last answer.
    uint8_t number = 0;
    uint16_t tag = 0;
    std::vector<uint8_t> body;

    // Puts bytes into the queue as a message, with `room` for the answer. The device is told, and has not worked yet.
    void send(const std::vector<uint8_t>& bytes, uint32_t room = kSize) {
        store_bytes(kData, bytes);
        descriptor(kDescriptors, 0, kData, static_cast<uint32_t>(bytes.size()), kNext, 1);
        descriptor(kDescriptors, 1, kAnswer, room, kWrite);
        offer(0);
        notify();
    }
    template <class Message>
    std::vector<uint8_t> bytes_of(const Message& message) {
        std::vector<uint8_t> bytes(kSize);
        bytes.resize(p9::write_message(bytes, ++next_tag_, message));
        REQUIRE(!bytes.empty());
        return bytes;
    }
    // Has the device work, and takes the answer apart. False: there is none.
    bool receive() {
        control.work();
        const std::vector<Used> done = used();
        if (done.empty()) {
            return false;
        }
        REQUIRE(done.size() == 1);
        const std::vector<uint8_t> bytes = load_bytes(kAnswer, done[0].length);
        REQUIRE(bytes.size() >= 7);
        p9::FieldReader reader(bytes);
        uint32_t said = 0;
        reader.take(said);
        reader.take(number);
        reader.take(tag);
        CHECK(said == bytes.size());
        body.assign(bytes.begin() + 7, bytes.end());
        return true;
    }
    // Sends and receives. 0, or the number of the error.
    template <class Message>
    uint32_t error(const Message& message) {
        send(bytes_of(message));
        REQUIRE(receive());
        CHECK(tag == next_tag_);
        if (number == p9::Rlerror::kNumber) {
            return fields<p9::Rlerror>().error;
        }
        CHECK(number == Message::kNumber + 1);
        return 0;
    }
    // The same of what must succeed.
    template <class Answer, class Message>
    Answer ask(const Message& message) {
        static_assert(Answer::kNumber == Message::kNumber + 1);
        INFO(Message::kName);
        REQUIRE(error(message) == 0);
        return fields<Answer>();
    }
    // Strings and data in it last until the next answer.
    template <class Answer>
    Answer fields() {
        p9::FieldReader reader(body);
        auto answer = p9::read_fields<Answer>(reader);
        CHECK(reader.good());
        CHECK(reader.rest().empty());
        return answer;
    }

    // Driver, session and root: fid 0.
    void mount(uint32_t message_size = kSize) {
        start();
        REQUIRE(ask<p9::Rversion>(p9::Tversion{message_size, "9P2000.L"}).version == "9P2000.L");
        CHECK(ask<p9::Rattach>(p9::Tattach{0, p9::kNoFid, "root", "", 1000}).qid.type == p9::Qid::kFolder);
    }
    uint32_t walk(uint32_t fid, uint32_t new_fid, const std::vector<std::string>& names) {
        p9::Twalk message{fid, new_fid, {}};
        message.names.assign(names.begin(), names.end());
        return error(message);
    }

  private:
    uint16_t next_tag_ = 0;
};

}  // namespace weft::hw::test
