// A session by a scripted client: what it is answered, and what the target is asked for.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/control/gdb/fake_target.h"

using namespace weft;
using namespace weft::control::gdb;
using Kind = ThreadAction::Kind;

namespace {

struct Client final : Output {
    test::FakeTarget target;
    std::string sent;
    Session session{target, *this};

    void send(std::string_view bytes) override { sent += bytes; }
    std::string raw(const std::string& bytes) {
        sent.clear();
        session.receive({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
        return sent;
    }
    // The reply's payload; "none": there was none.
    std::string ask(const std::string& payload) { return payload_of(raw(framed(payload))); }
    std::string stopped(const Stop& stop) {
        sent.clear();
        session.stopped(stop);
        return payload_of(sent);
    }
    static std::string payload_of(const std::string& bytes) {
        PacketReader reader;
        for (const char byte : bytes) {
            if (reader.feed(static_cast<uint8_t>(byte)) == PacketReader::Event::packet) {
                return reader.packet();
            }
        }
        return "none";
    }
};

}  // namespace

TEST_CASE("packets are acknowledged until that is turned off") {
    Client client;
    CHECK(client.raw("$qC#b4") == "+" + framed("QC10"));
    CHECK(client.raw("$qC#b5") == "-");
    CHECK(client.raw("-") == framed("QC10"));
    CHECK(client.raw(framed("QStartNoAckMode")) == "+" + framed("OK"));
    CHECK(client.raw("+") == "");
    CHECK(client.raw("$qC#b4") == framed("QC10"));
    CHECK(client.raw("$qC#b5") == "");
    CHECK(client.raw("-") == "");
}

TEST_CASE("unknown packets get the empty reply") {
    Client client;
    for (const char* packet :
         {"", "vMustReplyEmpty", "qXfer:other:read::0,1", "qTStatus", "Z1,1000,4", "Z2,1000,4", "z4,1000,4",
          "qRcmd,68", "qqemu.sstep", "!", "gg", "?x", "vCont", "qXfer:features:write:x:0:", "\xff"}) {
        CHECK(client.ask(packet) == "");
    }
}

TEST_CASE("what a machine has besides") {
    Client client;
    client.target.is_machine = true;
    CHECK(client.ask("qAttached:1") == "1");
    CHECK(client.ask("qfirst") == "second");
    CHECK(client.ask("qother") == "");
    for (const char* packet : {"Z1,1000,4", "z1,1000,4", "Z2,1000,8", "Z3,1000,1", "Z4,1000,100"}) {
        CHECK(client.ask(packet) == "OK");
    }
    CHECK(client.ask("z3,1000,1") == "OK");
    CHECK(client.target.points == std::vector<std::string>{"Z1 1000 4", "z1 1000 4", "Z2 1000 8", "Z3 1000 1",
                                                           "Z4 1000 100", "z3 1000 1"});
    CHECK(client.ask("Z2,1000,0") == "E16");
    CHECK(client.ask("Z2,1000") == "E16");
    // A command's answer comes in parts before the end.
    std::string all = client.raw(framed("qRcmd," + to_hex("hello")));
    CHECK(all == "+" + framed("O" + to_hex("<hello>")) + framed("OK"));
    CHECK(client.ask("qRcmd,6") == "E16");
    CHECK(client.ask("vAttach;99") == "T05thread:10;");
    CHECK(client.ask("vAttach;98") == "E16");
    // Registers that are not read at once, and a number without one.
    CHECK(client.ask("g").size() == 2 * 8);
    CHECK(client.ask("p1").size() == 2 * 8);
    client.target.registers[{0x10, 1}] = "";
    CHECK(client.ask("p1") == "E16");
    // Memory is that of the thread that is looked at.
    CHECK(client.ask("Hg20") == "OK");
    CHECK(client.ask("m1000,1") == to_hex("m"));
    CHECK(client.target.looked_at == 0x20);
    CHECK(client.ask("vCont;c") == "none");
    CHECK(client.stopped({.thread = 0x20, .watch = WatchKind::read, .watched_address = 0x1234}) ==
          "T05thread:20;rwatch:1234;");
    CHECK(client.ask("vCont;c") == "none");
    CHECK(client.stopped({.thread = 0x20, .watch = WatchKind::write, .watched_address = 1}) ==
          "T05thread:20;watch:1;");
    CHECK(client.ask("vCont;c") == "none");
    CHECK(client.ask("qfirst") == "");
    CHECK(client.stopped({.thread = 0x20, .watch = WatchKind::access, .watched_address = 1}) ==
          "T05thread:20;awatch:1;");
}

TEST_CASE("threads are named with and without processes") {
    Client client;
    CHECK(client.ask("?") == "T05thread:10;");
    CHECK(client.ask("qSupported:multiprocess+;xmlRegisters=i386").find("multiprocess+") !=
          std::string::npos);
    CHECK(client.ask("?") == "T05thread:p99.10;");
    CHECK(client.ask("qfThreadInfo") == "mp99.10,p99.20");
    CHECK(client.ask("qsThreadInfo") == "l");
    CHECK(client.ask("Tp99.20") == "OK");
    for (const char* gone : {"Tp99.30", "Tp98.20", "T30", "T", "T-1", "T0", "Tp99", "Tp99.", "Tp.1"}) {
        CHECK(client.ask(gone) == "E03");
    }
    CHECK(client.ask("qThreadExtraInfo,p99.20") == to_hex("t32"));
    CHECK(client.ask("Hgp99.20") == "OK");
    CHECK(client.ask("qC") == "QCp99.20");
    CHECK(client.ask("Hgp99.-1") == "OK");
    CHECK(client.ask("qC") == "QCp99.10");
    CHECK(client.ask("Hg") == "E16");
    CHECK(client.ask("H") == "E16");
    CHECK(client.ask("Hx0") == "E16");
    CHECK(client.ask("Hg77") == "E03");
}

TEST_CASE("many threads are listed in pieces") {
    Client client;
    client.target.ids.clear();
    for (uint64_t id = 0; id < 5000; ++id) {
        client.target.ids.push_back(0x100000 + id);
    }
    size_t count = 0;
    for (std::string reply = client.ask("qfThreadInfo"); reply != "l"; reply = client.ask("qsThreadInfo")) {
        REQUIRE(reply.front() == 'm');
        count += static_cast<size_t>(std::ranges::count(reply, ',')) + 1;
    }
    CHECK(count == 5000);
}

TEST_CASE("registers are read and written by number and all at once") {
    Client client;
    CHECK(client.ask("P1=0102030405060708") == "OK");
    CHECK(client.ask("p1") == "0102030405060708");
    CHECK(client.ask("g") ==
          "0000000000000000"
          "0102030405060708"
          "00000000");
    CHECK(client.ask("G"
                     "1111111111111111"
                     "2222222222222222"
                     "33333333") == "OK");
    CHECK(client.ask("p2") == "33333333");
    CHECK(client.ask("Hg20") == "OK");
    CHECK(client.ask("p2") == "00000000");
    for (const char* wrong :
         {"p3", "p", "pffffffffffffffff", "P3=00", "P1=00", "P1", "P=00", "P1=0", "G00", "G1"}) {
        CHECK(client.ask(wrong) == "E16");
    }
}

TEST_CASE("memory is read as far as there is some") {
    Client client;
    client.target.memory[0] = 'a';
    CHECK(client.ask("m1000,2") == "616d");
    CHECK(client.ask("m10ff,10") == "6d");
    CHECK(client.ask("m1000,0") == "");
    CHECK(client.ask("m1000,ffffffffffffffff").size() == 512);
    CHECK(client.ask("m2000,1") == "E0e");
    CHECK(client.ask("M1001,2:6263") == "OK");
    CHECK(client.ask("X1003,3:#$}") == "OK");
    CHECK(client.target.memory.substr(0, 6) == "abc#$}");
    CHECK(client.ask("X0,0:") == "OK");
    CHECK(client.ask("M10ff,2:0000") == "E0e");
    for (const char* wrong : {"m", "m1000", "m,1", "m1000,", "mx,1", "M1000,2:00", "M1000,1:0",
                              "M1000,ffffffffffffffff:00", "X1000,2:a", "X1000"}) {
        CHECK(client.ask(wrong) == "E16");
    }
}

TEST_CASE("software breakpoints go to the target") {
    Client client;
    CHECK(client.ask("Z0,1000,4") == "OK");
    CHECK(client.ask("Z0,1004,2") == "OK");
    CHECK(client.target.breakpoints == std::map<uint64_t, uint64_t>{{0x1000, 4}, {0x1004, 2}});
    CHECK(client.ask("z0,1000,4") == "OK");
    CHECK(client.target.breakpoints.size() == 1);
    CHECK(client.ask("Z0,1000,3") == "E16");
    CHECK(client.ask("Z0,1000") == "E16");
}

TEST_CASE("the leftmost action that applies is a thread's") {
    Client client;
    CHECK(client.ask("vCont?") == "vCont;c;C;s;S;t");
    CHECK(client.ask("vCont;S0b:20;c") == "none");
    CHECK(client.target.resumed.back() ==
          std::vector<ThreadAction>{{0x10, Kind::go, 0}, {0x20, Kind::step, 11}});
    CHECK(client.stopped({.thread = 0x20, .signal = 11}) == "T0bthread:20;");
    CHECK(client.ask("vCont;t:10;C02:p99.-1") == "none");
    CHECK(client.target.resumed.back() ==
          std::vector<ThreadAction>{{0x10, Kind::stay, 0}, {0x20, Kind::go, 2}});
    client.stopped({.thread = 0x10});
    CHECK(client.ask("vCont;s:10") == "none");
    CHECK(client.target.resumed.back() == std::vector<ThreadAction>{{0x10, Kind::step, 0}});
    client.stopped({.thread = 0x10});
    for (const char* wrong :
         {"vCont;x", "vCont;C", "vCont;C100", "vCont;cc", "vCont;c:", "vCont;c:x", "vCont;;c"}) {
        const std::string reply = client.ask(wrong);
        CHECK((reply == "E16" || std::string(wrong) == "vCont;c:"));
        if (reply == "none") {
            client.stopped({.thread = 0x10});
        }
    }
    CHECK(client.ask("vCont;c:77") == "E03");
    CHECK(client.ask("vCont;c:p98.-1") == "E03");
    CHECK(client.ask("vCont;t") == "E03");
    CHECK(client.ask("vCont;") == "E03");
}

TEST_CASE("old commands go on with the thread of Hc") {
    Client client;
    CHECK(client.ask("c") == "none");
    CHECK(client.target.resumed.back() ==
          std::vector<ThreadAction>{{0x10, Kind::go, 0}, {0x20, Kind::go, 0}});
    client.stopped({.thread = 0x10});
    CHECK(client.ask("Hc20") == "OK");
    CHECK(client.ask("S05") == "none");
    CHECK(client.target.resumed.back() == std::vector<ThreadAction>{{0x20, Kind::step, 5}});
    client.stopped({.thread = 0x20});
    CHECK(client.ask("C") == "E16");
    CHECK(client.ask("c1000") == "E16");
}

TEST_CASE("while the target runs there is the interrupt alone") {
    Client client;
    CHECK(client.raw("\3").empty());
    CHECK(client.target.interrupts == 0);
    CHECK(client.ask("vCont;c") == "none");
    CHECK(client.ask("g") == "E10");
    CHECK(client.ask("vCont;c") == "E10");
    CHECK(client.ask("vCont?x") == "");
    client.raw("\3");
    CHECK(client.target.interrupts == 1);
    CHECK(client.target.resumed.size() == 1);
    CHECK(client.stopped({.thread = 0x10, .signal = kSigint}) == "T02thread:10;");
    CHECK(client.ask("p0") == "0000000000000000");
}

TEST_CASE("stops say why, to clients that know of it") {
    Client client;
    const Stop breakpoint{.thread = 0x20, .breakpoint = true};
    CHECK(client.stopped(breakpoint) == "T05thread:20;");
    CHECK(client.stopped({.kind = Stop::Kind::exited, .status = 255}) == "Wff");
    CHECK(client.stopped({.kind = Stop::Kind::no_resumed}) == "T00thread:10;");
    client.ask("qSupported:swbreak+;multiprocess+;no-resumed+");
    CHECK(client.stopped(breakpoint) == "T05thread:p99.20;swbreak:;");
    CHECK(client.stopped({.kind = Stop::Kind::exited, .status = 3}) == "W03;process:99");
    CHECK(client.stopped({.kind = Stop::Kind::killed, .signal = 15}) == "X0f;process:99");
    CHECK(client.stopped({.kind = Stop::Kind::no_resumed}) == "N");
}

TEST_CASE("objects come in pieces") {
    Client client;
    CHECK(client.ask("qSupported").find("qXfer:features:read+") != std::string::npos);
    CHECK(client.ask("qXfer:features:read:target.xml:0,1000") == "l" + client.target.features);
    CHECK(client.ask("qXfer:features:read:target.xml:8,4") == "m#$}*");
    CHECK(client.ask("qXfer:features:read:target.xml:1000,4") == "l");
    CHECK(client.ask("qXfer:features:read:target.xml:ffffffffffffffff,ffffffffffffffff") == "l");
    CHECK(client.ask("qXfer:features:read:other:0,4") == "E00");
    CHECK(client.ask("qXfer:features:read:target.xml:0") == "E16");
    client.target.features.assign(3 * kMostPacket, '}');
    // Escaped, it fits.
    CHECK(client.raw(framed("qXfer:features:read:target.xml:0,ffffff")).size() < kMostPacket + 8);
}

TEST_CASE("files are read") {
    Client client;
    CHECK(client.ask("vFile:setfs:0") == "F0");
    CHECK(client.ask("vFile:setfs:98") == "F-1,16");
    CHECK(client.ask("vFile:open:2f66,0,0") == "F3");
    CHECK(client.ask("vFile:open:2f67,0,0") == "F-1,2");
    CHECK(client.ask("vFile:open:2f66,201,1ff") == "F-1,d");
    CHECK(client.ask("vFile:open:2f0066,0,0") == "F-1,16");
    CHECK(client.ask("vFile:pread:3,100,0") == "F7;content");
    CHECK(client.ask("vFile:pread:3,2,5") == "F2;nt");
    CHECK(client.ask("vFile:pread:4,2,5") == "F-1,9");
    CHECK(client.ask("vFile:pread:3,2") == "F-1,16");
    // struct stat of the protocol: big-endian, 7 words, 3 long ones, 3 words.
    CHECK(to_hex(client.ask("vFile:fstat:3")) == to_hex("F40;") +
                                                     "00000001"
                                                     "00000002"
                                                     "000081a4"
                                                     "00000003"
                                                     "00000004"
                                                     "00000005"
                                                     "00000006"
                                                     "0000000000000007"
                                                     "0000000000000008"
                                                     "0000000000000009"
                                                     "0000000a"
                                                     "0000000b"
                                                     "0000000c");
    CHECK(client.ask("vFile:readlink:2f66") == "F2;/f");
    CHECK(client.ask("vFile:close:3") == "F0");
    CHECK(client.ask("vFile:close:x") == "F-1,16");
    CHECK(client.ask("vFile:unlink:2f66") == "");
    client.target.has_files = false;
    CHECK(client.ask("vFile:open:2f66,0,0") == "");
}

TEST_CASE("signals to pass") {
    Client client;
    CHECK(client.ask("QPassSignals:e;10;14") == "OK");
    CHECK(client.target.passed == std::vector{14, 16, 20});
    CHECK(client.ask("QPassSignals:") == "OK");
    CHECK(client.target.passed.empty());
    CHECK(client.ask("QPassSignals:100") == "E16");
}

TEST_CASE("after detaching nothing is said") {
    Client client;
    CHECK(client.ask("D;98") == "E16");
    CHECK_FALSE(client.target.detached);
    CHECK(client.ask("D;99") == "OK");
    CHECK(client.target.detached);
    CHECK(client.session.over());
    CHECK(client.raw(framed("g")).empty());
    CHECK(client.stopped({.thread = 0x10}) == "none");
}

TEST_CASE("killing") {
    Client client;
    CHECK(client.ask("vKill;98") == "E16");
    CHECK(client.ask("vKill;99") == "OK");
    CHECK(client.target.killed);
}

TEST_CASE("a target without threads is asked for none") {
    Client client;
    client.target.ids.clear();
    for (const char* packet : {"g", "p0", "P0=0000000000000000", "vCont;c", "c", "qC", "Hg0", "T10"}) {
        CHECK(client.ask(packet) == "E03");
    }
    CHECK(client.ask("qfThreadInfo") == "l");
}
