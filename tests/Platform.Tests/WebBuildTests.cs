using DaprPlatform.Cli.Building;

namespace DaprPlatform.Cli.Tests;

/// <summary>The build of the pages: once, and again when something that it uses has changed.</summary>
public sealed class WebBuildTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("web-build-").FullName;
    private readonly List<string> _reports = [];

    public WebBuildTests()
    {
        Write("web/shop/src/page.js", "one");
        Write("web/build/step.mjs", "// shared");
        Write("services/gateway/openapi.json", "{}");
        // As the real ones: it makes something among its sources, too.
        Write("web/shop/make.mjs", """
            import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
            const output = '../../artifacts/web/shop'
            mkdirSync(output, { recursive: true })
            mkdirSync('src/api/generated', { recursive: true })
            writeFileSync('src/api/generated/schema.ts', String(Math.random()))
            writeFileSync(`${output}/index.html`, readFileSync('src/page.js', 'utf8'))
            appendFileSync('../../builds', 'x')
            """);
        Write("web/shop/package.json", """{"name":"shop","private":true,"scripts":{"build":"node make.mjs"}}""");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private int Builds => File.Exists(Path.Combine(_root, "builds")) ? File.ReadAllText(Path.Combine(_root, "builds")).Length : 0;

    [Fact]
    public async Task What_has_not_changed_is_not_built_again()
    {
        await PrepareAsync();
        Assert.True(WebBuild.IsBuilt(new Repository(_root), "shop"));
        Assert.Equal(1, Builds);
        await PrepareAsync();
        Assert.Equal(1, Builds);
        Assert.Single(_reports);
    }

    [Theory]
    [InlineData("web/shop/src/page.js")]
    [InlineData("web/shop/src/new.css")]
    [InlineData("web/build/step.mjs")]
    [InlineData("services/gateway/openapi.json")]
    public async Task A_source_that_has_changed_is_built_anew(string source)
    {
        await PrepareAsync();
        Write(source, "something else, and longer");
        await PrepareAsync();
        Assert.Equal(2, Builds);
    }

    [Fact]
    public async Task Pages_that_were_taken_away_are_built_anew()
    {
        await PrepareAsync();
        Directory.Delete(WebBuild.OutputOf(new Repository(_root), "shop"), recursive: true);
        await PrepareAsync();
        Assert.Equal(2, Builds);
    }

    [Fact]
    public async Task A_build_that_fails_says_why_and_is_tried_again()
    {
        Write("web/shop/make.mjs", "console.error('the shop is closed'); process.exit(3)");
        for (var i = 0; i < 2; i++)
        {
            var error = await Assert.ThrowsAsync<CommandException>(PrepareAsync);
            Assert.Contains("npm run build failed in", error.Message, StringComparison.Ordinal);
            Assert.Contains("the shop is closed", error.Message, StringComparison.Ordinal);
        }

        Assert.False(WebBuild.IsBuilt(new Repository(_root), "shop"));
    }

    [Fact]
    public async Task Without_npm_it_says_so()
    {
        var error = await Assert.ThrowsAsync<CommandException>(() =>
            NodePackages.PrepareAsync(new Repository(_root), Path.Combine(_root, "web", "shop"), _reports.Add, Token, WebBuild.OutputOf(new Repository(_root), "shop"), [], npm: Path.Combine(_root, "no-npm")));
        Assert.Contains("no-npm cannot be started", error.Message, StringComparison.Ordinal);
        Assert.Contains("Node.js", error.Message, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private Task PrepareAsync() => WebBuild.PrepareAsync(new Repository(_root), _reports.Add, Token);

    private void Write(string path, string content)
    {
        var file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, content);
    }
}
