// The PCI Express capability (PCI Express Base Specification 5.0, 7.5.3): where its registers are, and the bits of those that are used.
#pragma once

#include <cstdint>

namespace weft::hw::express {

inline constexpr uint8_t kId = 0x10;
inline constexpr unsigned kSize = 0x3c;  // of version 2

enum Register : uint8_t {
    kFlags = 0x02,
    kDeviceCapabilities = 0x04,
    kDeviceControl = 0x08,
    kLinkCapabilities = 0x0c,
    kLinkControl = 0x10,
    kLinkStatus = 0x12,
    kSlotCapabilities = 0x14,
    kSlotControl = 0x18,
    kSlotStatus = 0x1a,
    kRootControl = 0x1c,
    kLinkCapabilities2 = 0x2c,
    kLinkControl2 = 0x30,
};

// 7.5.3.2
inline constexpr uint16_t kVersion = 2, kEndpoint = 0 << 4, kRootPort = 4 << 4, kSlotImplemented = 0x100;
// 7.5.3.3, 7.5.3.4: what software may set, and what is set after a reset (relaxed ordering, no snoop, reads of 512 bytes).
inline constexpr uint32_t kRoleBasedErrors = 1 << 15;
inline constexpr uint16_t kDeviceControlMask = 0x7fff, kDeviceControlReset = 0x2810;
// 7.5.3.6 to 7.5.3.8: 16 GT/s and 16 lanes; nothing here is slower for less.
inline constexpr uint32_t kSpeed = 4, kWidth = 16 << 4, kReportsLinkActive = 1 << 20;
inline constexpr unsigned kPortShift = 24;
inline constexpr uint16_t kLinkDisable = 0x10, kLinkControlMask = 0x0fdb, kLinkActive = 1 << 13;
// 7.5.3.18, 7.5.3.19: 2.5 to 16 GT/s.
inline constexpr uint32_t kSpeeds = 0x1e;
inline constexpr uint16_t kTargetSpeedMask = 0x0f;
// 7.5.3.9
inline constexpr uint32_t kHasButton = 1, kHasPowerController = 2, kHasAttentionIndicator = 8,
                          kHasPowerIndicator = 0x10, kHotPlug = 0x40, kNoCommandCompleted = 1 << 18;
inline constexpr unsigned kSlotShift = 19;
// 7.5.3.10
inline constexpr uint16_t kButtonEnable = 1, kPresenceEnable = 8, kInterruptEnable = 0x20,
                          kAttentionOff = 0xc0, kPowerIndicatorMask = 0x300, kPowerIndicatorOn = 0x100,
                          kPowerIndicatorOff = 0x300, kPowerOff = 0x400, kLinkEnable = 0x1000,
                          kSlotControlMask = 0x17ff;
// 7.5.3.11
inline constexpr uint16_t kButtonPressed = 1, kPresenceChanged = 8, kPresent = 0x40, kLinkChanged = 0x100,
                          kSlotEvents = kButtonPressed | kPresenceChanged | kLinkChanged;

}  // namespace weft::hw::express
