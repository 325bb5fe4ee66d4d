using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace DaprPlatform.Sidecar.Storage;

/// <summary>
/// Lets SQLite wait for microseconds. Readers and the writer of one database in WAL mode now and then meet in the index and sleep for some of them before they look
/// again; a library that was built without <c>usleep</c>, as the one of the package is, sleeps for a whole second instead (<c>xSleep</c> of
/// https://www.sqlite.org/c3ref/vfs.html). A copy of the default VFS with a finer sleep becomes the default one.
/// </summary>
internal static unsafe partial class SqliteSleep
{
    private const string Library = "e_sqlite3";
    private static readonly Lock Gate = new();
    private static bool _done;

    /// <summary>For all connections that are opened from here on. The library must be loaded. Does nothing on Windows, where SQLite sleeps well.</summary>
    public static void Mend()
    {
        lock (Gate)
        {
            if (_done || OperatingSystem.IsWindows())
                return;
            _done = true;
            var own = Find(null);
            if (own is null)
                return;
            // Registered for good: it lives as long as the process.
            var copy = (Vfs*)NativeMemory.Alloc((nuint)sizeof(Vfs));
            *copy = *own;
            copy->Next = null;
            copy->Name = (byte*)Marshal.StringToCoTaskMemUTF8("finely-sleeping");
            copy->Sleep = &Sleep;
            if (Register(copy, makeDefault: 1) != 0)
                NativeMemory.Free(copy);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Sleep(Vfs* vfs, int microseconds)
    {
        // A thread sleeps for milliseconds; whoever waits for less wants the other to get on.
        if (microseconds < 100)
            Thread.Yield();
        else
            Thread.Sleep((microseconds + 999) / 1000);
        return microseconds;
    }

    [LibraryImport(Library, EntryPoint = "sqlite3_vfs_find")]
    private static partial Vfs* Find(byte* name);

    [LibraryImport(Library, EntryPoint = "sqlite3_vfs_register")]
    private static partial int Register(Vfs* vfs, int makeDefault);

    // sqlite3_vfs of the third version, which SQLite has had since 2011.
    [StructLayout(LayoutKind.Sequential)]
    private struct Vfs
    {
        public int Version;
        public int FileSize;
        public int LongestPath;
        public Vfs* Next;
        public byte* Name;
        public void* Data;
        public void* Open;
        public void* Delete;
        public void* Access;
        public void* FullPathname;
        public void* DlOpen;
        public void* DlError;
        public void* DlSym;
        public void* DlClose;
        public void* Randomness;
        public delegate* unmanaged[Cdecl]<Vfs*, int, int> Sleep;
        public void* CurrentTime;
        public void* GetLastError;
        public void* CurrentTimeInt64;
        public void* SetSystemCall;
        public void* GetSystemCall;
        public void* NextSystemCall;
    }
}
