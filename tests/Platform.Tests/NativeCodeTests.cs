using System.Reflection.PortableExecutable;
using DaprPlatform.Cli.Building;

namespace DaprPlatform.Cli.Tests;

public sealed class NativeCodeTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("platform-native-").FullName;
    private readonly List<string> _reported = [];

    private Repository Clone => new(_root);

    private NativeCode Native => new(Clone, _reported.Add);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task A_program_runs_with_native_code_until_it_is_built_anew()
    {
        var program = Program("first", "YamlDotNet");
        var second = Program("second", "YamlDotNet");

        await Native.PrepareAsync([program, second], TestContext.Current.CancellationToken);

        var compiled = NativeCode.Of(Clone, program);
        Assert.True(compiled != program, string.Join('\n', _reported));
        Assert.True(HasNativeCode(compiled));
        Assert.Null(new FileInfo(compiled).LinkTarget);
        var library = Path.Combine(Path.GetDirectoryName(compiled)!, "YamlDotNet.dll");
        Assert.True(HasNativeCode(library));
        Assert.Equal("kept", await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(compiled)!, "data", "settings.txt"), TestContext.Current.CancellationToken));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(new FileInfo(library).LinkTarget, new FileInfo(Path.Combine(Path.GetDirectoryName(NativeCode.Of(Clone, second))!, "YamlDotNet.dll")).LinkTarget);

        File.SetLastWriteTimeUtc(program, DateTime.UnixEpoch);
        Assert.Equal(program, NativeCode.Of(Clone, program));
    }

    [Fact]
    public async Task What_is_made_already_is_not_made_again()
    {
        var program = Program("first");
        await Native.PrepareAsync([program], TestContext.Current.CancellationToken);
        _reported.Clear();

        await Native.PrepareAsync([program, NativeCode.Of(Clone, program)], TestContext.Current.CancellationToken);

        Assert.Empty(_reported);
    }

    [Fact]
    public async Task Where_the_compiler_cannot_be_had_programs_run_as_they_were_built()
    {
        await File.WriteAllTextAsync(Path.Combine(_root, "nuget.config"),
            """
            <configuration>
              <config><add key="globalPackagesFolder" value="packages" /></config>
              <packageSources><clear /></packageSources>
              <fallbackPackageFolders><clear /></fallbackPackageFolders>
            </configuration>
            """, TestContext.Current.CancellationToken);
        var program = Program("first");

        await Native.PrepareAsync([program], TestContext.Current.CancellationToken);

        Assert.Equal(program, NativeCode.Of(Clone, program));
        Assert.Contains(_reported, line => line.StartsWith("without native code", StringComparison.Ordinal));
    }

    // A program as a build leaves it; any assembly will do.
    private string Program(string name, params string[] libraries)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_root, name)).FullName;
        var source = AppContext.BaseDirectory;
        var program = Path.Combine(folder, "Spectre.Console.dll");
        File.Copy(Path.Combine(source, "Spectre.Console.dll"), program);
        foreach (var library in libraries)
            File.Copy(Path.Combine(source, library + ".dll"), Path.Combine(folder, library + ".dll"));
        Directory.CreateDirectory(Path.Combine(folder, "data"));
        File.WriteAllText(Path.Combine(folder, "data", "settings.txt"), "kept");
        return program;
    }

    private static bool HasNativeCode(string assembly)
    {
        using var image = new PEReader(new MemoryStream(File.ReadAllBytes(assembly)));
        return image.PEHeaders.CorHeader!.ManagedNativeHeaderDirectory.Size > 0;
    }
}
