using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Users;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Services.Tests.Fixtures;
using DaprPlatform.Users.Api;
using DaprPlatform.Users.Domain;
using Grpc.Core;
using Microsoft.Extensions.DependencyInjection;
using NSubstitute;
using Xunit;

namespace DaprPlatform.Services.Tests;

public sealed class AccountsTests(UsersFixture users) : IClassFixture<UsersFixture>
{
    private const string Password = "correct-h0rse";
    private readonly string _email = Guid.NewGuid().ToString("N") + "@example.com";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_address_has_one_account_whatever_its_case_and_however_many_ask_at_once()
    {
        var statuses = await DatabaseFixture.AtOnceAsync(8, async i => await StatusOfAsync(() => RegisterAsync(i % 2 == 0 ? _email : _email.ToUpperInvariant())));
        Assert.Single(statuses, s => s == 200);
        Assert.All(statuses.Where(s => s != 200), s => Assert.Equal(409, s));
    }

    [Theory]
    [InlineData("no-address", Password, "Ada")]
    [InlineData("a@example.com", "short1", "Ada")]
    [InlineData("a@example.com", "only-letters", "Ada")]
    [InlineData("a@example.com", Password, "A")]
    public async Task A_weak_sign_up_is_refused(string email, string password, string firstName) =>
        Assert.Equal(400, await StatusOfAsync(() => RegisterAsync(email, password, firstName)));

    [Fact]
    public async Task A_refresh_gives_a_new_token_and_the_old_one_presented_again_ends_the_family()
    {
        var first = await RegisterAsync(_email);
        var second = await RefreshAsync(first.RefreshToken);
        var third = await RefreshAsync(second.RefreshToken);
        Assert.Equal(3, new[] { first.RefreshToken, second.RefreshToken, third.RefreshToken }.Distinct().Count());

        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(first.RefreshToken)));
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(third.RefreshToken)));
        // Another sign-in is another family.
        Assert.Equal(200, await StatusOfAsync(async () => await RefreshAsync((await LoginAsync(Password)).RefreshToken)));
    }

    [Fact]
    public async Task A_token_refreshed_by_eight_at_once_is_good_for_one_at_most_and_ends_the_family()
    {
        var session = await RegisterAsync(_email);
        var next = await DatabaseFixture.AtOnceAsync(8, async _ =>
        {
            try
            {
                return (await RefreshAsync(session.RefreshToken)).RefreshToken;
            }
            catch (ProblemException e) when (e.Status == 401)
            {
                return null;
            }
        });
        var winner = Assert.Single(next, t => t is not null);
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(winner!)));
    }

    [Fact]
    public async Task A_browser_that_missed_the_answer_gets_the_newest_token_for_a_moment_and_then_its_family_ends()
    {
        var first = await RegisterAsync(_email);
        var second = await RefreshAsync(first.RefreshToken, lenient: true);
        var third = await RefreshAsync(second.RefreshToken, lenient: true);
        Assert.Equal(3, new[] { first.RefreshToken, second.RefreshToken, third.RefreshToken }.Distinct().Count());
        // From the first as from the second.
        Assert.Equal(third.RefreshToken, (await RefreshAsync(first.RefreshToken, lenient: true)).RefreshToken);
        Assert.Equal(third.RefreshToken, (await RefreshAsync(second.RefreshToken, lenient: true)).RefreshToken);

        users.Clock.Advance(TimeSpan.FromSeconds(11));
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(second.RefreshToken, lenient: true)));
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(third.RefreshToken, lenient: true)));
    }

    [Fact]
    public async Task Eight_tabs_that_refresh_at_once_all_get_the_same_token()
    {
        var session = await RegisterAsync(_email);
        var next = await DatabaseFixture.AtOnceAsync(8, async _ => (await RefreshAsync(session.RefreshToken, lenient: true)).RefreshToken);
        var newest = Assert.Single(next.Distinct());
        Assert.NotEqual(session.RefreshToken, newest);
        Assert.Equal(200, await StatusOfAsync(() => RefreshAsync(newest)));
    }

    [Fact]
    public async Task Leniency_is_for_what_a_lenient_caller_has_replaced_and_for_nothing_made_up()
    {
        var first = await RegisterAsync(_email);
        var second = await RefreshAsync(first.RefreshToken);
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(first.RefreshToken, lenient: true)));
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(second.RefreshToken, lenient: true)));

        var other = await LoginAsync(Password);
        await RefreshAsync(other.RefreshToken, lenient: true);
        var madeUp = other.RefreshToken[..33] + first.RefreshToken[33..];
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(madeUp, lenient: true)));
    }

    [Fact]
    public async Task Signing_out_with_a_token_that_was_just_replaced_ends_the_session_too()
    {
        var session = await RegisterAsync(_email);
        var newest = await RefreshAsync(session.RefreshToken, lenient: true);
        await LogoutAsync(session.RefreshToken);
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(newest.RefreshToken)));
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(session.RefreshToken, lenient: true)));
    }

    [Fact]
    public async Task A_refresh_token_is_good_for_a_week_and_not_after_signing_out()
    {
        var session = await RegisterAsync(_email);
        await LogoutAsync(session.RefreshToken);
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(session.RefreshToken)));

        var other = await LoginAsync(Password);
        users.Clock.Advance(TimeSpan.FromDays(7));
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(other.RefreshToken)));
    }

    [Fact]
    public async Task Signing_out_everywhere_ends_every_session()
    {
        var one = await RegisterAsync(_email);
        var two = await LoginAsync(Password);
        users.Clock.Advance(TimeSpan.FromSeconds(1));
        await LogoutAsync(one.RefreshToken, everywhere: true);
        Assert.Equal(401, await StatusOfAsync(() => RefreshAsync(two.RefreshToken)));
    }

    [Fact]
    public async Task Five_wrong_passwords_lock_the_account_for_a_quarter_of_an_hour()
    {
        await RegisterAsync(_email);
        for (var i = 0; i < AccountOptions.MaxFailedLogins; i++)
            Assert.Equal(401, await StatusOfAsync(() => LoginAsync("wrong-passw0rd")));
        var locked = await Assert.ThrowsAsync<ProblemException>(() => LoginAsync(Password));
        Assert.Equal((429, 900), (locked.Status, locked.RetryAfterSeconds));

        users.Clock.Advance(AccountOptions.LockDuration);
        Assert.Equal(200, await StatusOfAsync(() => LoginAsync(Password)));
    }

    [Fact]
    public async Task Guesses_made_at_once_are_all_counted()
    {
        await RegisterAsync(_email);
        Assert.All(await DatabaseFixture.AtOnceAsync(AccountOptions.MaxFailedLogins, _ => StatusOfAsync(() => LoginAsync("wrong-passw0rd"))), s => Assert.Contains(s, new[] { 401, 429 }));
        Assert.Equal(429, await StatusOfAsync(() => LoginAsync(Password)));
    }

    [Fact]
    public async Task The_contact_of_a_user_is_where_mail_goes_and_nobody_has_none()
    {
        var id = (await RegisterAsync(_email)).User.Id;
        Task<Contact> ContactAsync(string user) => users.AsAsync<ContactsRpc, Contact>(rpc => rpc.GetContact(new GetContactRequest { UserId = user }, Substitute.For<ServerCallContext>()));
        Assert.Equal(new Contact { Email = _email, FirstName = "Ada" }, await ContactAsync(id));
        Assert.Equal(404, (await Assert.ThrowsAsync<ProblemException>(() => ContactAsync(UserId.New().ToString()))).Status);
        Assert.Equal(400, (await Assert.ThrowsAsync<ProblemException>(() => ContactAsync("ada"))).Status);
    }

    [Fact]
    public async Task An_unknown_account_and_a_wrong_password_get_the_same_answer()
    {
        await RegisterAsync(_email);
        var wrong = await Assert.ThrowsAsync<ProblemException>(() => LoginAsync("wrong-passw0rd"));
        var unknown = await Assert.ThrowsAsync<ProblemException>(() => LoginAsync(Password, "nobody@example.com"));
        Assert.Equal((wrong.Status, wrong.Code, wrong.Detail), (unknown.Status, unknown.Code, unknown.Detail));
    }

    [Fact]
    public async Task A_profile_is_changed_by_its_owner_and_only_from_the_version_that_was_read()
    {
        var session = await RegisterAsync(_email);
        Assert.True(UserId.TryParse(session.User.Id, out var id));
        Assert.Equal(428, await StatusOfAsync(() => UpdateAsync(id, "")));
        var changed = await UpdateAsync(id, session.User.Etag);
        Assert.Equal("Augusta", changed.FirstName);
        Assert.Equal(412, await StatusOfAsync(() => UpdateAsync(id, session.User.Etag)));
        var statuses = await DatabaseFixture.AtOnceAsync(6, _ => StatusOfAsync(() => UpdateAsync(id, changed.Etag)));
        Assert.Single(statuses, s => s == 200);
        Assert.All(statuses.Where(s => s != 200), s => Assert.Equal(412, s));
    }

    [Fact]
    public async Task A_new_key_signs_at_once_while_tokens_of_the_old_one_stay_good_until_it_is_taken_out()
    {
        var keys = users.Services.GetRequiredService<SigningKeys>();
        var verifier = new JwtVerifier(new JwtOptions("daprplatform", "daprplatform-api"), keys, users.Clock);
        var before = (await RegisterAsync(_email)).AccessToken;
        var (old, fresh) = (users.SigningKey, UsersFixture.NewKey());

        users.SigningKey = fresh + "\n" + old;
        users.Clock.Advance(TimeSpan.FromMinutes(1));
        var after = (await LoginAsync(Password)).AccessToken;
        Assert.NotEqual(before.Split('.')[0], after.Split('.')[0]);
        Assert.NotNull((await verifier.VerifyAsync(before, Cancel)).Principal);
        Assert.NotNull((await verifier.VerifyAsync(after, Cancel)).Principal);
        Assert.Equal(2, Jwk.ReadSet((await users.AsAsync<Accounts, KeySet>(a => a.GetKeysAsync(new GetKeysRequest(), Cancel))).JwksJson).Count);

        users.SigningKey = fresh;
        users.Clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Null((await new JwtVerifier(new JwtOptions("daprplatform", "daprplatform-api"), keys, users.Clock).VerifyAsync(before, Cancel)).Principal);
        Assert.NotNull((await verifier.VerifyAsync(after, Cancel)).Principal);
    }

    private Task<Session> RegisterAsync(string email, string password = Password, string firstName = "Ada") =>
        users.AsAsync<Accounts, Session>(accounts => accounts.RegisterAsync(
            new RegisterRequest { Email = email, Password = password, FirstName = firstName, LastName = "Lovelace" }, Cancel));

    private Task<Session> LoginAsync(string password, string? email = null) =>
        users.AsAsync<Accounts, Session>(accounts => accounts.LoginAsync(new LoginRequest { Email = email ?? _email, Password = password }, Cancel));

    private Task<Session> RefreshAsync(string token, bool lenient = false) =>
        users.AsAsync<Accounts, Session>(accounts => accounts.RefreshAsync(new RefreshRequest { RefreshToken = token, Lenient = lenient }, Cancel));

    private Task<LogoutResponse> LogoutAsync(string token, bool everywhere = false) =>
        users.AsAsync<Accounts, LogoutResponse>(accounts => accounts.LogoutAsync(new LogoutRequest { RefreshToken = token, Everywhere = everywhere }, Cancel));

    private Task<UserProfile> UpdateAsync(UserId user, string etag) =>
        users.AsAsync<Accounts, UserProfile>(user, accounts => accounts.UpdateProfileAsync(
            new UpdateProfileRequest { FirstName = "Augusta", LastName = "King", IfMatch = etag }, Cancel));

    private static async Task<int> StatusOfAsync(Func<Task> call)
    {
        try
        {
            await call();
            return 200;
        }
        catch (ProblemException e)
        {
            return e.Status;
        }
    }
}
