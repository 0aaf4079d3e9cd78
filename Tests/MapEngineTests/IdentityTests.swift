import CMapBridge
import Glibc
import Testing

@testable import MapEngine

@Suite struct IdentityTests {
    @Test func aBellIsFarFromWhatFunctionsOpenAndClose() throws {
        let bell = try Bell()
        var file = mapb_inode()
        let own = mapb_bell_own(dup(bell.writing.number), &file)
        defer { close(own) }
        #expect(own >= 1000)
        #expect(mapb_bell_is_there(own, &file) == 1)
        #expect(mapb_bell_ring_own(own, &file) == 1)
    }

    @Test func aBellWhoseNumberIsAnotherFilesIsNotRung() throws {
        let bell = try Bell()
        var file = mapb_inode()
        let own = mapb_bell_own(dup(bell.writing.number), &file)
        let stream = try #require(tmpfile())
        defer { fclose(stream) }
        let other = fileno(stream)
        dup2(other, own)
        #expect(mapb_bell_ring_own(own, &file) == 0)
        #expect(lseek(other, 0, SEEK_END) == 0)
        close(own)
        #expect(mapb_bell_ring_own(own, &file) == 0)
        // Another pipe is another bell.
        let second = try Bell()
        dup2(second.writing.number, own)
        defer { close(own) }
        #expect(mapb_bell_ring_own(own, &file) == 0)
    }

    @Test func floatingPointIsSetAsItWas() {
        var before = mapb_floating()
        var now = mapb_floating()
        mapb_floating_get(&before)
        fesetround(FE_UPWARD)
        mapb_floating_get(&now)
        #expect(mapb_floating_is_same(&before, &now) == 0)
        mapb_floating_set(&before)
        mapb_floating_get(&now)
        #expect(mapb_floating_is_same(&before, &now) != 0)
        #expect(fegetround() == FE_TONEAREST)
    }

    @Test func theProcessThatMakesATaskIsItsWorker() throws {
        let region = try OutputRegion(reserve: 4 << 20)
        let task = try #require(mapb_worker_task(region.base, region.size))
        #expect(mapb_is_alone(task) == 1)
        #expect(task.pointee.pid == getpid())
    }
}
